"""`shopflow payments`: what a crash or a lost answer left open, finished."""

import asyncio

import cyclopts

from shopflow import settings as settings_module
from shopflow.cli.ages import Age, GivenAge
from shopflow.cli.imported import Place, load
from shopflow.cli.output import show_json, show_table
from shopflow.cli.target import require_running
from shopflow.orders.payments.recovery import OLDER_THAN, Recovery
from shopflow.settings import Settings
from shopflow.shop import open_shop

app = cyclopts.App(name="payments", help="Look after payments at gateways.")
DEFAULT_AGE = Age(seconds=OLDER_THAN)


@app.command
def recover(
    *,
    older_than: GivenAge = DEFAULT_AGE,
    dry_run: bool = False,
    gateways: Place = None,
    json: bool = False,
) -> int:
    """Ask the gateways what became of operations without an outcome, and finish them.

    What has happened is recorded; captures, voids and refunds that have not are asked for again
    with the same key, authorizations are given up. Stored webhooks that wait are tried again. Exit
    code 1 when something is still open after it. May run at any time, also twice at once.

    Args:
        older_than: since a gateway was last asked; younger calls may be under way.
        dry_run: ask the gateways and say what would be done; change nothing.
        gateways: where the shop's gateways are made, as `package.module:name` of a mapping by
            name, or of a function without arguments that returns it.
        json: print a JSON object: dry_run, operations, events_applied, events_waiting,
            and `waiting` with the reason of each.
    """
    settings = settings_module.load()
    require_running(settings)
    done = asyncio.run(_recover(settings, gateways, older_than.total_seconds(), dry_run))
    if json:
        show_json(done)
    else:
        _show(done)
    return 1 if done.open and not dry_run else 0


async def _recover(
    settings: Settings, gateways: str | None, older_than: float, dry_run: bool
) -> Recovery:
    found = load(gateways) if gateways else {}
    async with open_shop(settings, gateways=found) as shop:
        return await shop.orders.payments.recover(older_than=older_than, dry_run=dry_run)


def _show(done: Recovery) -> None:
    if done.waiting:
        show_table(
            ("waiting event", "gateway", "kind", "amount", "of", "why"),
            (
                (
                    each.event_id,
                    each.gateway,
                    each.kind,
                    str(each.amount),
                    each.authorization_reference,
                    each.problem or "not tried yet",
                )
                for each in done.waiting
            ),
        )
    if done.operations:
        show_table(
            ("operation", "gateway", "kind", "amount", "before", "action", "after"),
            (
                (
                    str(each.operation_id),
                    each.gateway,
                    each.kind,
                    str(each.amount),
                    each.before,
                    each.action,
                    each.after,
                )
                for each in done.operations
            ),
        )
    said = "would be looked at" if done.dry_run else "looked at"
    looked = "1 operation" if len(done.operations) == 1 else f"{len(done.operations)} operations"
    print(
        f"{looked} {said}, {done.open} still open;"
        f" events: {done.events_applied} applied, {done.events_waiting} waiting"
    )
