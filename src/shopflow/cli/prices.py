"""`shopflow prices`: many prices at once, at a time, and back."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import cyclopts

from shopflow.cli.bulk import (
    bar,
    bulk_id,
    refusals,
    show_change,
    show_lines,
    show_preview,
    with_products,
)
from shopflow.cli.output import show_json, show_table, tell
from shopflow.cli.price_options import price_rule, selected
from shopflow.errors import InvalidInputError
from shopflow.importers.value_file import read_price_file
from shopflow.products import Draft, Preview, PriceRule
from shopflow.products.bulk.inputs import ComparePrice, Ending
from shopflow.products.bulk.models import LineStatus
from shopflow.products.products import Products

app = cyclopts.App(name="prices", help="Change many prices at once, at a time, and back.")


@app.command
def preview(
    file: Path | None = None,
    /,
    *,
    percent: str | None = None,
    amount: str | None = None,
    fixed: str | None = None,
    ending: Ending | None = None,
    compare_at: ComparePrice = "keep",
    brand: Sequence[str] = (),
    category: Sequence[str] = (),
    tag: Sequence[str] = (),
    sku: Sequence[str] = (),
    all_products: bool = False,
    description: str | None = None,
    skip_bad: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Make a draft of new prices, from a file or by a rule, and show what it would do.

    No price changes before `shopflow prices apply` or the time of `shopflow prices schedule`.
    Prices of a rule are rounded half up.

    Args:
        file: a CSV with the columns sku, price and, if any, compare_at_price.
        percent: change by a part of the price, such as -10.
        amount: change by so much money, such as -2.50.
        fixed: set to this price.
        ending: the nearest price that ends so.
        compare_at: what becomes of the compare-at price: keep it, show what the product cost
            (was), or clear it.
        brand: of this brand, by its slug; again for more.
        category: in this category or below it, by its slug; again for more.
        tag: with this tag; again for more.
        sku: this SKU; again for more.
        all_products: every product.
        description: what the draft is known by; otherwise the file's name or the rule.
        skip_bad: leave out what cannot be; otherwise one such line refuses everything.
        dry_run: show it, and keep no draft.
        json: print a JSON object.
    """
    rule = price_rule(percent, amount, fixed, ending, compare_at)
    if (file is None) == (rule is None):
        raise InvalidInputError(
            "preview", file, "needs either a file or one of --percent, --amount and --fixed"
        )
    if file is not None and (brand or category or tag or sku or all_products or ending):
        raise InvalidInputError("preview", file, "has its own products and prices: no filter fits")
    name = description or _described(file, rule)
    draft = Draft(name, skip_bad=skip_bad, dry_run=dry_run)
    with refusals(json):
        if file is not None:
            shown = _preview_file(file, draft, compare_at)
        elif rule is not None:

            async def work(products: Products) -> Preview:
                selection = await selected(
                    products,
                    everything=all_products,
                    brands=brand,
                    categories=category,
                    tags=tag,
                    skus=sku,
                )
                return await products.bulk.plan(draft, selection, rule)

            shown = with_products(work)
    show_preview(shown, json)


@app.command
def apply(change: str, /, *, json: bool = False) -> None:
    """Apply a draft now, or go on with one that was interrupted.

    A price that somebody changed since the preview stays and is a conflict, which is exit code 0:
    `shopflow prices show ID --status conflict` lists them.

    Args:
        change: the draft's id.
        json: print a JSON object.
    """
    found = bulk_id(change)
    with bar("changing prices") as progress:
        done = with_products(lambda products: products.bulk.apply(found, progress=progress))
    show_change(done, json)


@app.command
def undo(change: str, /, *, json: bool = False) -> None:
    """Take back what a bulk change of prices did; a price that was changed since stays.

    Args:
        change: its id.
        json: print a JSON object.
    """
    found = bulk_id(change)
    with bar("taking prices back") as progress:
        done = with_products(lambda products: products.bulk.undo(found, progress=progress))
    show_change(done, json)


@app.command
def schedule(change: str, /, *, start: str, end: str | None = None, json: bool = False) -> None:
    """Have `shopflow worker` apply a draft at a time, and take it back at another.

    Args:
        change: the draft's id; or of one that is scheduled, to change its times.
        start: such as 2026-11-27T00:00+01:00.
        end: when prices go back; without it they stay.
        json: print a JSON object.
    """
    found = bulk_id(change)
    starts_at, ends_at = _time("--start", start), end and _time("--end", end)
    show_change(
        with_products(lambda products: products.bulk.schedule(found, starts_at, ends_at or None)),
        json,
    )


@app.command
def cancel(change: str, /, *, json: bool = False) -> None:
    """Give up a draft, or one that is scheduled and has not begun.

    Args:
        change: its id.
        json: print a JSON object.
    """
    found = bulk_id(change)
    show_change(with_products(lambda products: products.bulk.cancel(found)), json)


@app.command(name="list")
def list_changes(*, limit: int = 20, cursor: str | None = None, json: bool = False) -> None:
    """List bulk changes of prices and of stocks, newest first.

    Args:
        limit: how many, 1 to 100.
        cursor: the page after the one that had it as `next`.
        json: print a JSON object: items, next.
    """
    page = with_products(lambda products: products.bulk.list(limit=limit, cursor=cursor))
    if json:
        show_json(page)
        return
    show_table(
        ("id", "kind", "status", "lines", "conflicts", "from", "until", "description"),
        (
            (
                str(each.id),
                each.kind,
                each.status,
                str(each.lines.total),
                str(each.lines.conflict + each.lines.kept),
                str(each.starts_at or ""),
                str(each.ends_at or ""),
                each.description,
            )
            for each in page.items
        ),
    )
    if page.next:
        tell(f"more: --cursor {page.next}")


@app.command
def show(
    change: str,
    /,
    *,
    status: LineStatus | None = None,
    limit: int = 20,
    cursor: str | None = None,
    json: bool = False,
) -> None:
    """Show a bulk change and its lines.

    Args:
        change: its id.
        status: lines of this status only, such as conflict.
        limit: how many lines, 1 to 100.
        cursor: the page after the one that had it as `next`.
        json: print a JSON object: change, lines with items and next.
    """
    found = bulk_id(change)

    async def read(products: Products) -> None:
        one = await products.bulk.get(found)
        page = await products.bulk.lines(found, status, limit=limit, cursor=cursor)
        if json:
            show_json({"change": one, "lines": page})
            return
        show_change(one, json=False)
        show_lines(page.items)
        if page.next:
            tell(f"more: --cursor {page.next}")

    with_products(read)


def _time(option: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        reason = "is not a time such as 2026-11-27T00:00+01:00"
        raise InvalidInputError(option, text, reason) from error


def _described(file: Path | None, rule: PriceRule | None) -> str:
    if file is not None:
        return file.name
    return f"{rule.step} {rule.by}" if rule else ""


def _preview_file(file: Path, draft: Draft, compare_at: ComparePrice) -> Preview:
    read = read_price_file(file)
    if read.ignored:
        tell(f"note: columns that are not looked at: {', '.join(read.ignored)}")
    return with_products(
        lambda products: products.bulk.plan_lines(
            draft, read.lines, compare_at=compare_at, problems=read.problems
        )
    )
