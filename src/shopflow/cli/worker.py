"""`shopflow worker`: webhooks are sent and periodic jobs run until it is told to end."""

import asyncio
import logging
import signal
from collections.abc import Callable

from shopflow import settings as settings_module
from shopflow.cli.imported import ConsumersPlace, Place, load, load_consumers
from shopflow.cli.output import show_json, show_pairs, tell
from shopflow.cli.target import require_running
from shopflow.events.worker import CONCURRENCY, Done, Worker
from shopflow.orders.payments.gateway import Gateways
from shopflow.settings import Settings
from shopflow.shop import Shop, open_shop


def worker(
    *,
    once: bool = False,
    concurrency: int = CONCURRENCY,
    gateways: Place = None,
    consumers: ConsumersPlace = None,
    json: bool = False,
) -> None:
    """Send webhooks and run the periodic jobs until Ctrl-C or SIGTERM; several share the work.

    Asked to end, it finishes what is under way, up to 30 s; asked twice, it gives that back at
    once. Killed, it loses nothing: another worker takes over within a minute.

    The jobs: old carts, unpaid orders, sessions, tokens and events go (the settings
    guest_cart_days, user_cart_days and unpaid_order_minutes say when); authorizations that have
    ended are voided; payments, refunds and voids without an outcome are finished.

    Args:
        once: deliver what is due now, run the jobs that are, and return.
        concurrency: how many deliveries may be under way for each webhook.
        gateways: where the shop's gateways are made, as `package.module:name` of a mapping by
            name, or of a function without arguments that returns it. What is with others than
            these and `manual` is left to a worker that has them.
        consumers: where the shop's own consumers of events are added, as `package.module:name` of
            a function that is called with the worker: `worker.consumer(…)(function)`.
        json: with --once, print a JSON object.
    """
    settings = settings_module.load()
    require_running(settings)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    found = load(gateways) if gateways else {}
    add = load_consumers(consumers) if consumers else _add_none

    def make(shop: Shop) -> Worker:
        worker = shop.events.worker(concurrency=concurrency)
        add(worker)
        return worker

    if not once:
        asyncio.run(_run(settings, found, make))
        return
    done = asyncio.run(_run_once(settings, found, make))
    if json:
        show_json(done)
        return
    show_pairs(
        [
            ("delivered", done.delivered),
            ("failed", f"{done.failed}, to be tried again" if done.failed else 0),
            ("given up", done.dead),
            *((name, "failed" if n is None else n) for name, n in done.jobs.items()),
        ]
    )


def _add_none(_worker: Worker) -> None:
    pass


async def _run(settings: Settings, gateways: Gateways, make: Callable[[Shop], Worker]) -> None:
    async with open_shop(settings, gateways=gateways) as shop:
        worker = make(shop)
        running = asyncio.create_task(worker.run())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _end, worker, running)
        tell("working until Ctrl-C")
        await asyncio.wait({running})
        if not running.cancelled():
            running.result()


async def _run_once(settings: Settings, gateways: Gateways, make: Callable[[Shop], Worker]) -> Done:
    async with open_shop(settings, gateways=gateways) as shop:
        return await make(shop).run_once()


def _end(worker: Worker, running: asyncio.Task[None]) -> None:
    if worker.stopping:
        tell("stopping at once")
        running.cancel()
    else:
        tell("finishing what is under way")
        worker.stop()
