"""The Online Retail file: every oddity read as stated, and its plan adds up to it to the cent."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pytest

from bench import retail
from bench.replay import Books, check
from bench.retail import History, Item, Plan, Return, Sale, amounts, plan, read
from shopflow import InvalidInputError

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
needs_file = pytest.mark.skipif(
    not retail.FILE.is_file(), reason="the shared data is not on this machine"
)


def file(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "retail.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as out:
        out.write("\n".join([HEADER, *rows]) + "\n")
    return path


def row(
    invoice: str, code: str, quantity: int, price: str = "2.5", customer: str = "17850.0"
) -> str:
    return f"{invoice},{code},THING,{quantity},2010-12-01 08:26:00,{price},{customer},EIRE"


def planned(tmp_path: Path, *rows: str) -> Plan:
    return plan(read(file(tmp_path, *rows)))


def item(code: str, price: str = "2.50") -> Item:
    return Item(code, Decimal(price))


def test_customers_codes_names_and_countries(tmp_path: Path) -> None:
    bare = "536366,85123b,,2,2010-12-01 08:26:00,0.0,,France"
    named, guest = read(file(tmp_path, row("536365", "85123a", 6), bare))
    assert (named.customer, named.item, named.country_code) == ("17850", item("85123A"), "IE")
    assert (guest.customer, guest.name, guest.country_code) == (None, "85123B", "FR")
    assert guest.item.price == 0


def test_only_the_first_invoices(tmp_path: Path) -> None:
    rows = [row("1", "A", 1), row("2", "A", 1), row("1", "B", 1), row("3", "A", 1)]
    assert [line.invoice for line in read(file(tmp_path, *rows), 2)] == ["1", "2", "1"]


def test_a_price_with_a_fraction_of_a_cent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"UnitPrice.*2\.555"):
        read(file(tmp_path, row("1", "A", 1, "2.555")))


def test_a_code_twice_in_an_invoice_is_one_item_and_at_another_price_another(
    tmp_path: Path,
) -> None:
    found = planned(tmp_path, row("1", "A", 2), row("1", "a", 3), row("1", "A", 1, "9"))
    assert found.histories == [
        History("17850", [Sale("1", "IE", {item("A"): 5, item("A", "9.00"): 1})])
    ]


def test_a_negative_quantity_without_c_is_a_write_off_and_no_order(tmp_path: Path) -> None:
    found = planned(tmp_path, row("1", "A", -7, "0", ""))
    assert found.histories == []
    assert [line.quantity for line in found.write_offs] == [-7]


def test_guests_have_nothing_in_common(tmp_path: Path) -> None:
    rows = [row("1", "A", 1, customer=""), row("2", "A", 1, customer="")]
    assert [each.customer for each in planned(tmp_path, *rows).histories] == [None, None]


def test_a_return_goes_to_the_latest_orders_with_the_item_at_its_price(tmp_path: Path) -> None:
    rows = [row("1", "A", 2), row("2", "A", 2), row("3", "A", 9, "9"), row("C4", "A", -3)]
    (history,) = planned(tmp_path, *rows).histories
    assert history.steps[3:] == [Return("C4", "2", item("A"), 2), Return("C4", "1", item("A"), 1)]


def test_what_was_given_back_is_not_given_back_again(tmp_path: Path) -> None:
    rows = [row("1", "A", 2), row("C2", "A", -2), row("C3", "A", -1)]
    (history,) = planned(tmp_path, *rows).histories
    assert history.steps[2:] == [
        Sale("C3-opening", "IE", {item("A"): 1}, opening=True),
        Return("C3", "C3-opening", item("A"), 1),
    ]


def test_another_customers_order_is_not_given_back(tmp_path: Path) -> None:
    rows = [row("1", "A", 2, customer="1.0"), row("C2", "A", -2), row("C3", "A", -1, customer="")]
    openings = [step for step in planned(tmp_path, *rows).steps() if isinstance(step, Sale)]
    assert [sale.invoice for sale in openings if sale.opening] == ["C2-opening", "C3-opening"]


def test_what_the_rest_of_a_return_lacks_is_one_order(tmp_path: Path) -> None:
    rows = [row("1", "A", 1), row("C2", "A", -3), row("C2", "A", -1), row("C2", "D", -1, "7")]
    (history,) = planned(tmp_path, *rows).histories
    assert history.steps[1:] == [
        Sale("C2-opening", "IE", {item("A"): 3, item("D", "7.00"): 1}, opening=True),
        Return("C2", "1", item("A"), 1),
        Return("C2", "C2-opening", item("A"), 2),
        Return("C2", "C2-opening", item("A"), 1),
        Return("C2", "C2-opening", item("D", "7.00"), 1),
    ]


@needs_file
def test_the_plan_of_the_whole_file_adds_up_to_it_to_the_cent() -> None:
    found = plan(read(retail.FILE))
    ordered = total(
        sale.pieces[each] * each.price
        for sale in found.steps()
        if isinstance(sale, Sale) and not sale.opening
        for each in sale.pieces
    )
    returned = total(step.amount for step in found.steps() if isinstance(step, Return))
    # In whole cents and with nothing of ours.
    cents: Counter[bool] = Counter()
    with gzip.open(retail.FILE, "rt", encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            pounds, _, pence = line["UnitPrice"].partition(".")
            price = int(pounds) * 100 + int(pence.ljust(2, "0"))
            cents[line["InvoiceNo"].startswith("C")] += int(line["Quantity"]) * price
    assert (ordered * 100, returned * 100) == (Decimal(cents[False]), Decimal(-cents[True]))
    # No return is of more than its order had, nor before it.
    assert all(quantity >= 0 for quantity in left_over(found))


def left_over(found: Plan) -> Iterable[int]:
    left: Counter[tuple[str, Item]] = Counter()
    for step in found.steps():
        if isinstance(step, Sale):
            left.update({(step.invoice, each): count for each, count in step.pieces.items()})
        else:
            left[step.sale, step.item] -= step.quantity
            yield left[step.sale, step.item]


def total(given: Iterable[Decimal]) -> Decimal:
    return sum(given, Decimal())


class TestCheck:
    """Books that are a cent away from the file are refused, whatever it is in."""

    rows = (row("1", "A", 2), row("2", "B", 1), row("C3", "B", -1), row("C4", "A", -3))

    def books(self, **changed: dict[str, Decimal]) -> Books:
        opening = {"C4-opening": Decimal("2.50")}
        ordered = {"1": Decimal("5.00"), "2": Decimal("2.50"), **opening}
        given = {
            "ordered": ordered,
            "captured": ordered,
            "refunded": {"C3": Decimal("2.50"), "C4": Decimal("7.50")},
        }
        return Books(**given | changed, sold=0, in_stock=0)

    def test_right_ones(self, tmp_path: Path) -> None:
        lines = read(file(tmp_path, *self.rows))
        check(lines, plan(lines), self.books())

    @pytest.mark.parametrize("what", ["ordered", "captured", "refunded"])
    @pytest.mark.parametrize("wrong", ["a cent more", "missing", "one too many"])
    def test_wrong_ones(self, tmp_path: Path, what: str, wrong: str) -> None:
        lines = read(file(tmp_path, *self.rows))
        amounts_of: dict[str, Decimal] = dict(getattr(self.books(), what))
        first = next(iter(amounts_of))
        if wrong == "a cent more":
            amounts_of[first] += Decimal("0.01")
        elif wrong == "missing":
            del amounts_of[first]
        else:
            amounts_of["9"] = Decimal("1.00")
        with pytest.raises(RuntimeError, match=f"{'9' if wrong == 'one too many' else first}"):
            check(lines, plan(lines), self.books(**{what: amounts_of}))

    def test_amounts_of_the_lines(self, tmp_path: Path) -> None:
        lines = read(file(tmp_path, *self.rows))
        assert amounts(lines) == {
            "1": Decimal("5.00"),
            "2": Decimal("2.50"),
            "C3": Decimal("2.50"),
            "C4": Decimal("7.50"),
        }
