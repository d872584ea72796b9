"""The jobs that every worker has: what is old goes, what a crash left at a gateway is finished."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from shopflow.backup import erasures
from shopflow.carts.expiry import expire_carts
from shopflow.events.cleaning import clean_accounts, expire_events
from shopflow.events.jobs import Job
from shopflow.orders.expiring import expire_unpaid_orders
from shopflow.orders.payments.gateway import Gateway, Gateways
from shopflow.orders.payments.recovery import Recovered, recover
from shopflow.orders.payments.taking import expire_authorizations
from shopflow.postgres.pool import Pool
from shopflow.products.bulk.scheduling import run_due_bulk_changes
from shopflow.products.popularity import count_sales
from shopflow.products.search.refreshing import count_words, refresh_popularity, refresh_search
from shopflow.settings import Settings

MINUTE, HOUR = 60.0, 3600.0
# A sale begins and ends about when it was announced; to see that nothing is due costs one query.
SOON = 10.0
_log = logging.getLogger(__name__)


def standard_jobs(settings: Settings, gateways: Gateways) -> tuple[Job, ...]:
    """Return what every worker does now and then.

    Each gateway has jobs of its own, so that a worker that has it does them, and a slow one does
    not hold up another. Raises nothing of its own.

    Args:
        settings: `guest_cart_days`, `user_cart_days` and `unpaid_order_minutes` say what is old; 0
            is never, and such a job is not there. `event_days` and `delivered_event_days` are
            those of events.
        gateways: by name.
    """
    jobs = [
        Job("expire_events", 10 * MINUTE, lambda pool: _expire_events(pool, settings)),
        Job("clean_accounts", HOUR, clean_accounts),
        Job("refresh_search", MINUTE, refresh_search),
        Job("count_search_words", 24 * HOUR, count_words),
        Job("count_sales", HOUR, lambda pool: count_sales(pool, days=settings.best_selling_days)),
        Job("run_due_bulk_changes", SOON, run_due_bulk_changes),
        # From what was just counted.
        Job("refresh_popularity", HOUR, refresh_popularity),
    ]
    if settings.guest_cart_days or settings.user_cart_days:
        jobs.append(Job("expire_carts", HOUR, lambda pool: _expire_carts(pool, settings)))
    if settings.unpaid_order_minutes:
        old = timedelta(minutes=settings.unpaid_order_minutes)
        jobs.append(
            Job("expire_unpaid_orders", MINUTE, lambda pool: expire_unpaid_orders(pool, old))
        )
    if settings.backup_url is not None:
        jobs.append(Job("export_erasures", MINUTE, lambda _pool: _export_erasures(settings)))
    for name, gateway in gateways.items():
        jobs.extend(_gateway_jobs(name, gateway))
    return tuple(jobs)


async def _export_erasures(settings: Settings) -> int:
    return await asyncio.to_thread(erasures.export_recent, settings)


async def recover_payments(pool: Pool, gateways: Gateways) -> int:
    """Finish what is open at gateways; return how many operations and events were finished.

    What stays open, or what a gateway says that cannot be, is logged.
    """
    done = await recover(pool, gateways)
    # Operations of other gateways are theirs who have them.
    ours = [each for each in done.operations if each.gateway in gateways]
    for each in ours:
        if not _finished(each):
            _log.warning(
                "payment operation %s (%s at %s): %s%s",
                each.operation_id,
                each.kind,
                each.gateway,
                each.action,
                f", {each.problem}" if each.problem else "",
            )
    return sum(map(_finished, ours)) + done.events_applied


def _finished(operation: Recovered) -> bool:
    return operation.problem is None and operation.after not in {"pending", "unknown"}


def _gateway_jobs(name: str, gateway: Gateway) -> tuple[Job, ...]:
    gateways = {name: gateway}
    return (
        Job(f"recover_payments:{name}", MINUTE, lambda pool: recover_payments(pool, gateways)),
        Job(
            f"expire_authorizations:{name}",
            10 * MINUTE,
            lambda pool: expire_authorizations(pool, gateways),
        ),
    )


async def _expire_events(pool: Pool, settings: Settings) -> int:
    return await expire_events(
        pool, keep=settings.event_days, keep_delivered=settings.delivered_event_days
    )


async def _expire_carts(pool: Pool, settings: Settings) -> int:
    return await expire_carts(
        pool,
        guest_days=settings.guest_cart_days or None,
        user_days=settings.user_cart_days or None,
    )
