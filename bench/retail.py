"""The Online Retail file: its lines read, and made into what a shop does with them; no database.

Its oddities, found by looking at all of it, and what is made of each:

- an invoice C… is a return, its quantities below zero; it does not say of which invoice;
- a negative quantity without C is a write-off, of no customer and no price;
- CustomerID is a float (`17850.0`), or missing: a guest;
- a price may be 0 (gifts, samples, found stock); none has more than two decimals, which is checked,
  so that every amount here is exact;
- a stock code has many prices, differs in case only (`85123a`), and stands in an invoice twice;
- codes such as POST, D (a discount) and BANK CHARGES are no goods, and are sold like them;
- a description may be missing; two invoices' lines may alternate; an invoice has a date a line.
"""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec

from shopflow.money import parse_amount

FILE = Path(__file__).parents[2] / "shared" / "data" / "online-retail.csv.gz"
# ISO 3166-1; the Channel Islands have no code together, Jersey stands for them.
COUNTRIES = {
    "Australia": "AU",
    "Austria": "AT",
    "Bahrain": "BH",
    "Belgium": "BE",
    "Canada": "CA",
    "Channel Islands": "JE",
    "Cyprus": "CY",
    "Czech Republic": "CZ",
    "Denmark": "DK",
    "EIRE": "IE",
    "Finland": "FI",
    "France": "FR",
    "Germany": "DE",
    "Greece": "GR",
    "Hong Kong": "HK",
    "Iceland": "IS",
    "Israel": "IL",
    "Italy": "IT",
    "Japan": "JP",
    "Lebanon": "LB",
    "Lithuania": "LT",
    "Netherlands": "NL",
    "Norway": "NO",
    "Poland": "PL",
    "Portugal": "PT",
    "Saudi Arabia": "SA",
    "Singapore": "SG",
    "Spain": "ES",
    "Sweden": "SE",
    "Switzerland": "CH",
    "United Arab Emirates": "AE",
    "United Kingdom": "GB",
}


class Item(msgspec.Struct, frozen=True):
    """A stock code at a price."""

    code: str
    price: Decimal


class Line(msgspec.Struct, frozen=True):
    """A line of the file; `customer` None for a guest, `quantity` below zero for a return."""

    invoice: str
    item: Item
    name: str
    quantity: int
    customer: str | None
    country_code: str

    @property
    def amount(self) -> Decimal:
        """What it comes to, exactly."""
        return self.quantity * self.item.price

    @property
    def returned(self) -> bool:
        """Whether its invoice is one of returns."""
        return self.invoice.startswith("C")


class Sale(msgspec.Struct, frozen=True):
    """An order: pieces by item.

    `opening` is one that the file does not have: it returns what was bought before it begins, or
    by nobody it names.
    """

    invoice: str
    country_code: str
    pieces: dict[Item, int]
    opening: bool = False


class Return(msgspec.Struct, frozen=True):
    """So many pieces of an item given back, of the sale with this number."""

    invoice: str
    sale: str
    item: Item
    quantity: int

    @property
    def amount(self) -> Decimal:
        """The money to give back."""
        return self.quantity * self.item.price


class History(msgspec.Struct, frozen=True):
    """What one customer did, in order; `customer` None for one visit of a guest."""

    customer: str | None
    steps: list[Sale | Return]


class Plan(msgspec.Struct, frozen=True):
    """What to replay: histories that can run at the same time, and what was written off."""

    histories: list[History]
    write_offs: list[Line]

    def steps(self) -> Iterator[Sale | Return]:
        """Every step of every history."""
        return (step for history in self.histories for step in history.steps)


def read(path: Path, invoices: int | None = None) -> list[Line]:
    """Return the lines of the file, or of its first `invoices`.

    Raises:
        InvalidInputError: for a price that is no amount of whole cents.
        KeyError: for a country that we have no code of.
    """
    lines: list[Line] = []
    seen: set[str] = set()
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            seen.add(row["InvoiceNo"])
            if invoices is not None and len(seen) > invoices:
                break
            lines.append(_line(row))
    return lines


def plan(lines: Iterable[Line]) -> Plan:
    """Make the lines into histories: each customer's orders and returns in the file's order.

    A return goes to the latest earlier orders of the same customer that have the item at the same
    price and not given back; what these do not have was bought before the file begins.
    """
    bought = _Bought()
    histories: dict[str, History] = {}
    write_offs = []
    for invoice, group in by_invoice(lines).items():
        write_offs += [each for each in group if each.quantity < 0 and not each.returned]
        kept = [each for each in group if each.quantity > 0 or each.returned]
        if kept:
            customer = kept[0].customer
            steps = list(bought.steps(invoice, kept))
            name = customer or f"guest of {invoice}"
            histories.setdefault(name, History(customer, [])).steps.extend(steps)
    # The longest first, or one worker is busy with it when the others are done.
    longest_first = sorted(histories.values(), key=lambda each: -len(each.steps))
    return Plan(longest_first, write_offs)


def by_invoice(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """Return the lines of each invoice, in the order in which the invoices begin."""
    found: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        found[line.invoice].append(line)
    return found


def amounts(lines: Iterable[Line]) -> dict[str, Decimal]:
    """Return what each invoice comes to, returns above zero, from the lines alone.

    A write-off has no price, and comes to nothing.
    """
    found: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        if line.returned or line.quantity > 0:
            found[line.invoice] += abs(line.amount)
    return found


class _Bought:
    """What each customer has bought and not given back."""

    def __init__(self) -> None:
        # By customer and item the orders, the latest last, and how many pieces are left of each.
        self._orders: dict[tuple[str, Item], list[str]] = defaultdict(list)
        self._left: dict[tuple[str, Item], int] = {}

    def steps(self, invoice: str, lines: list[Line]) -> Iterator[Sale | Return]:
        """Return the order, or the returns, that an invoice is."""
        if lines[0].returned:
            yield from self._taken_back(invoice, lines)
        else:
            yield self._sale(invoice, lines)

    def _sale(self, invoice: str, lines: list[Line]) -> Sale:
        pieces: dict[Item, int] = defaultdict(int)
        for line in lines:
            pieces[line.item] += line.quantity
        customer = lines[0].customer
        if customer is not None:
            for item, quantity in pieces.items():
                self._orders[customer, item].append(invoice)
                self._left[invoice, item] = quantity
        return Sale(invoice, lines[0].country_code, dict(pieces))

    def _taken_back(self, invoice: str, lines: list[Line]) -> Iterator[Sale | Return]:
        returns: list[Return] = []
        missing: dict[Item, int] = defaultdict(int)
        opening = f"{invoice}-opening"
        for line in lines:
            found = list(self._found(line))
            returns += [Return(invoice, order, line.item, quantity) for order, quantity in found]
            rest = -line.quantity - sum(quantity for _, quantity in found)
            if rest:
                missing[line.item] += rest
                returns.append(Return(invoice, opening, line.item, rest))
        if missing:
            yield Sale(opening, lines[0].country_code, dict(missing), opening=True)
        yield from returns

    def _found(self, line: Line) -> Iterator[tuple[str, int]]:
        # Guests have no name that an earlier order could be known by.
        orders = self._orders[line.customer, line.item] if line.customer else []
        wanted = -line.quantity
        while wanted and orders:
            key = orders[-1], line.item
            taken = min(wanted, self._left[key])
            self._left[key] -= taken
            wanted -= taken
            if not self._left[key]:
                orders.pop()
            yield key[0], taken


def _line(row: dict[str, str]) -> Line:
    code = row["StockCode"].upper()
    return Line(
        invoice=row["InvoiceNo"],
        item=Item(code, parse_amount("UnitPrice", row["UnitPrice"])),
        name=row["Description"].strip() or code,
        quantity=int(row["Quantity"]),
        customer=row["CustomerID"].removesuffix(".0") or None,
        country_code=COUNTRIES[row["Country"]],
    )
