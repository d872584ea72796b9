"""Making a draft: what would become of which prices or stocks, and what cannot be."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TypeAlias, get_args
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, Rollback

from shopflow.errors import ConstraintViolatedError, InvalidInputError, NotFoundError
from shopflow.ids import BulkChangeId, UserId
from shopflow.money import LARGEST
from shopflow.products.bulk.inputs import (
    ComparePrice,
    Ending,
    PriceLine,
    PriceRule,
    Selection,
    StockLine,
    StockRule,
    check_line,
    check_price_rule,
    check_selection,
    check_stock_rule,
)
from shopflow.products.bulk.models import (
    BulkKind,
    BulkRefusedError,
    LineProblem,
    Preview,
)
from shopflow.products.bulk.reading import QUERIES, list_bulk_lines
from shopflow.products.checks import LARGEST_STOCK, LONGEST_TEXT
from shopflow.text import check_text

# As many as a person reads.
PROBLEMS_SHOWN = 100
LINES_SHOWN = 20
ENDINGS: dict[Ending | None, Decimal | None] = {
    None: None,
    ".00": Decimal("0.00"),
    ".95": Decimal("0.95"),
    ".99": Decimal("0.99"),
}
Rule: TypeAlias = PriceRule | StockRule
Line: TypeAlias = PriceLine | StockLine


class Draft(msgspec.Struct, frozen=True):
    """How a draft is made.

    Attributes:
        description: what people know it by; not blank.
        actor: who makes it; None for the shop itself.
        skip_bad: leave out what cannot be; otherwise one such line refuses everything.
        dry_run: keep nothing.
    """

    description: str
    actor: UserId | None = None
    skip_bad: bool = False
    dry_run: bool = False


class _Created(msgspec.Struct, frozen=True):
    id: UUID


class _Added(msgspec.Struct, frozen=True):
    lines: int
    unchanged: int
    refused: int
    problems: list[LineProblem]


async def plan_by_rule(
    connection: AsyncConnection[Any], draft: Draft, selection: Selection, rule: Rule
) -> Preview:
    """Make a draft of what `rule` makes of the products of `selection` as they are now.

    Stocks are those of products without variants, and of variants. Nothing is locked.

    Raises:
        InvalidInputError: for a selection, rule or description that cannot be.
        BulkRefusedError: where a price or stock would be below zero or above the largest, or a
            compare-at price not above the price; with `skip_bad` those are left out.
        NotFoundError: when there is no such actor.
    """
    check_selection(selection)
    if isinstance(rule, PriceRule):
        check_price_rule(rule)
    else:
        check_stock_rule(rule)
    filters: dict[str, object] = {
        name: list(getattr(selection, name)) or None
        for name in ("brand_ids", "category_ids", "tags", "product_ids")
    }
    params = {
        **_NO_LINES,
        **filters,
        "skus": [sku.lower() for sku in selection.skus] or None,
        "by_rule": True,
        "change": rule.step,
        "amount": rule.by if isinstance(rule, PriceRule) else None,
        "pieces": rule.pieces if isinstance(rule, StockRule) else None,
        "ending": ENDINGS[rule.ending] if isinstance(rule, PriceRule) else None,
        "compare": rule.compare_at if isinstance(rule, PriceRule) else None,
    }
    kind: BulkKind = "price" if isinstance(rule, PriceRule) else "stock"
    written = msgspec.json.encode({"selection": selection, "change": rule}).decode()
    return await _plan(connection, draft, kind, params, rule=written)


async def plan_by_lines(
    connection: AsyncConnection[Any],
    draft: Draft,
    lines: Iterable[Line],
    *,
    compare_at: ComparePrice = "keep",
    problems: Iterable[LineProblem] = (),
) -> Preview:
    """Make a draft of the lines of a file, which are all of prices or all of stocks.

    A SKU is that of a product, of an active variant, or of a product and its variant, whose prices
    then both change; its case does not matter. Nothing is locked.

    Args:
        connection: where to.
        draft: how.
        lines: each with its number in the file.
        compare_at: what becomes of compare-at prices, where the lines have none.
        problems: lines that could not be read.

    Raises:
        InvalidInputError: for a line that is not of the kind of the others, or no line at all.
        BulkRefusedError: for lines that cannot be; with `skip_bad` those are left out.
        NotFoundError: when there is no such actor.
    """
    known = list(problems)
    good: list[Line] = []
    for line in lines:
        try:
            check_line(line)
        except InvalidInputError as error:
            known.append(
                LineProblem(line.line, line.sku, error.field, str(error.value), error.reason)
            )
        else:
            good.append(line)
    if not good and not known:
        raise InvalidInputError("lines", [], "at least one must be given")
    prices = [line for line in good if isinstance(line, PriceLine)]
    stocks = [line for line in good if isinstance(line, StockLine)]
    if prices and stocks:
        raise InvalidInputError("lines", stocks[0], "must be all prices or all stocks")
    if len({line.compare_at_price is msgspec.UNSET for line in prices}) > 1:
        raise InvalidInputError("lines", prices[0], "must all have a compare-at price, or none")
    if compare_at not in get_args(ComparePrice):
        reason = f"must be one of {', '.join(get_args(ComparePrice))}"
        raise InvalidInputError("compare_at", compare_at, reason)
    kind: BulkKind = "stock" if stocks else "price"
    params = {**_NO_RULE, **_of_lines(good), "compare": compare_at}
    if prices and prices[0].compare_at_price is not msgspec.UNSET:
        params["compare"] = "given"
    return await _plan(connection, draft, kind, params, known=known)


_NO_LINES: dict[str, object] = {
    "lines": [],
    "line_skus": [],
    "prices": [],
    "compare_at_prices": [],
    "stocks": [],
}
_NO_RULE: dict[str, object] = dict.fromkeys(
    (
        "brand_ids",
        "category_ids",
        "tags",
        "product_ids",
        "skus",
        "change",
        "amount",
        "pieces",
        "ending",
    )
) | {"by_rule": False}


def _of_lines(lines: list[Line]) -> dict[str, object]:
    prices = [line if isinstance(line, PriceLine) else None for line in lines]
    return {
        "lines": [line.line for line in lines],
        "line_skus": [line.sku for line in lines],
        "prices": [line and line.price for line in prices],
        "compare_at_prices": [
            None
            if line is None or line.compare_at_price is msgspec.UNSET
            else line.compare_at_price
            for line in prices
        ],
        "stocks": [line.stock if isinstance(line, StockLine) else None for line in lines],
    }


async def _plan(
    connection: AsyncConnection[Any],
    draft: Draft,
    kind: BulkKind,
    params: dict[str, object],
    *,
    rule: str | None = None,
    known: Iterable[LineProblem] = (),
) -> Preview:
    check_text("description", draft.description, LONGEST_TEXT)
    if not draft.description.strip(" "):
        raise InvalidInputError("description", draft.description, "must not be blank")
    problems = list(known)
    async with connection.transaction() as transaction:
        await QUERIES["bulk_session"].execute(connection)
        bulk_change_id = await _create(connection, draft, kind, rule)
        added = await QUERIES["add_bulk_lines"].document(
            connection,
            _Added,
            id=bulk_change_id,
            what=kind,
            largest_stock=LARGEST_STOCK,
            largest_price=LARGEST,
            shown=PROBLEMS_SHOWN,
            **params,
        ) or _Added(0, 0, 0, [])
        problems = sorted([*problems, *added.problems], key=lambda each: each.line or 0)
        refused = len(problems) - len(added.problems) + added.refused
        shown = tuple(problems[:PROBLEMS_SHOWN])
        if refused and not draft.skip_bad:
            raise BulkRefusedError(shown, refused)
        first = await list_bulk_lines(connection, bulk_change_id, limit=LINES_SHOWN)
        kept = added.lines > 0 and not draft.dry_run
        preview = Preview(
            id=bulk_change_id if kept else None,
            lines=added.lines,
            unchanged=added.unchanged,
            refused=refused,
            problems=shown,
            first=first.items,
        )
        if not kept:
            raise Rollback(transaction)
    return preview


async def _create(
    connection: AsyncConnection[Any], draft: Draft, kind: BulkKind, rule: str | None
) -> BulkChangeId:
    try:
        (created,) = await QUERIES["create_bulk_change"].rows(
            connection,
            _Created,
            what=kind,
            description=draft.description,
            rule=rule,
            actor=draft.actor,
        )
    except ConstraintViolatedError as error:
        if error.constraint == "bulk_changes_created_by_fkey":
            raise NotFoundError("user", draft.actor) from error
        raise
    return BulkChangeId(created.id)
