"""`shopflow webhooks`: who is told what happens in the shop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import cyclopts

from shopflow import settings as settings_module
from shopflow.cli.output import show_json, show_pairs, show_table, tell
from shopflow.cli.target import require_running
from shopflow.events.consumers import CHANGE_OVER
from shopflow.events.events import Events
from shopflow.events.models import Consumer
from shopflow.events.types import EVERYTHING
from shopflow.ids import EventId
from shopflow.shop import open_shop

T = TypeVar("T")
app = cyclopts.App(name="webhooks", help="Tell other programs what happens in the shop.")


@app.command
def add(
    url: str,
    /,
    *,
    events: tuple[str, ...] = (EVERYTHING,),
    name: str | None = None,
    json: bool = False,
) -> None:
    """Have events sent to a URL from now on, signed with a secret that is shown this once.

    Each is an HTTP POST of JSON, with the headers of https://www.standardwebhooks.com: the
    receiver checks `webhook-signature`, answers 2xx within 15 s, and knows an event that comes
    twice by `webhook-id`. `shopflow worker` has to run.

    Args:
        url: http or https.
        events: types such as order.placed, all of a kind as order.*, or * for all.
        name: to call it by; the URL's host when not given.
        json: print a JSON object.
    """
    made = _with_events(lambda shop_events: shop_events.add_webhook(url, events, name=name))
    if json:
        show_json(made)
        return
    show_pairs(
        [("webhook", made.name), ("events", " ".join(made.event_types)), ("secret", made.secret)]
    )
    tell("keep the secret: it is not shown again")


@app.command(name="list")
def list_(*, json: bool = False) -> None:
    """Show webhooks and Python consumers, and how many events wait for each.

    Args:
        json: print a JSON array.
    """
    found = _with_events(lambda shop_events: shop_events.consumers())
    if json:
        show_json(found)
        return
    show_table(
        ("name", "kind", "state", "pending", "dead", "events", "url"),
        (
            (
                each.name,
                each.kind,
                _state(each),
                str(each.pending),
                str(each.dead),
                " ".join(each.event_types),
                each.url or "",
            )
            for each in found
        ),
    )


@app.command
def remove(name: str, /) -> None:
    """Forget a webhook or Python consumer, and all that waits for it.

    Args:
        name: as `shopflow webhooks list` shows it.
    """
    _with_events(lambda shop_events: shop_events.remove(name))
    print(f"removed {name}")


@app.command
def rotate(name: str, /, *, hours: float = CHANGE_OVER / 3600, json: bool = False) -> None:
    """Give a webhook a new secret, shown this once; the one before signs as well for a while.

    Args:
        name: of the webhook.
        hours: how long the receiver has to change over; 0 ends the one before at once.
        json: print a JSON object.
    """
    secret = _with_events(
        lambda shop_events: shop_events.rotate_secret(name, change_over=hours * 3600)
    )
    if json:
        show_json({"name": name, "secret": secret})
    else:
        show_pairs([("webhook", name), ("secret", secret)])


@app.command
def enable(name: str, /) -> None:
    """Send to a webhook again that was switched off, by hand or by its own answer 410.

    Args:
        name: of the webhook.
    """
    _with_events(lambda shop_events: shop_events.switch(name, on=True))
    print(f"{name} is on")


@app.command
def disable(name: str, /) -> None:
    """Send nothing to a webhook; what waits for it stays, what happens meanwhile it never gets.

    Args:
        name: of the webhook.
    """
    _with_events(lambda shop_events: shop_events.switch(name, on=False))
    print(f"{name} is off")


@app.command
def dead(name: str | None = None, /, *, limit: int = 100, json: bool = False) -> None:
    """Show the events that were given up after the last attempt, the latest first.

    Args:
        name: of one webhook; otherwise of all.
        limit: how many at most.
        json: print a JSON array.
    """
    found = _with_events(lambda shop_events: shop_events.dead(name, limit=limit))
    if json:
        show_json(found)
        return
    show_table(
        ("webhook", "event", "type", "of", "attempts", "given up", "why"),
        (
            (
                each.consumer,
                str(each.event_id),
                each.event_type,
                f"{each.aggregate_type} {each.aggregate_id}",
                str(each.attempts),
                f"{each.finished_at:%Y-%m-%d %T}",
                each.last_error or "",
            )
            for each in found
        ),
    )


@app.command
def retry(name: str | None = None, /, *, event: UUID | None = None) -> None:
    """Have events that were given up tried again from the beginning.

    Args:
        name: of one webhook; otherwise all.
        event: the id of one event; otherwise all.
    """
    count = _with_events(
        lambda shop_events: shop_events.retry(name, None if event is None else EventId(event))
    )
    print(f"{count} {'event' if count == 1 else 'events'} will be tried again")


def _with_events(do: Callable[[Events], Awaitable[T]]) -> T:
    settings = settings_module.load()
    require_running(settings)

    async def work() -> T:
        async with open_shop(settings) as shop:
            return await do(shop.events)

    return asyncio.run(work())


def _state(consumer: Consumer) -> str:
    if consumer.is_active:
        return "on"
    return f"off: {consumer.inactive_reason}" if consumer.inactive_reason else "off"
