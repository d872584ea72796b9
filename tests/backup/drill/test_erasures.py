"""Who was erased after the restored time is erased again, and no session goes on."""

import asyncio
from datetime import datetime
from pathlib import Path

import psycopg
import pytest

import shopflow
from shopflow.backup import Backup, Store, Target, create, erasures, restore, source
from shopflow.backup.archiving import archive_now
from shopflow.backup.restoring import settings_for
from shopflow.cli import apply_erasures
from shopflow.errors import ServerError
from shopflow.events.standard_jobs import standard_jobs
from shopflow.ids import UserId
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings


async def register(settings: Settings, email: str) -> UserId:
    async with shopflow.open(settings) as shop:
        made = await shop.users.register(
            email=email, password="a long password", first_name="Ann", last_name="Archer",
            network_address=None,
        )  # fmt: skip
        await shop.users.sign_in(email, "a long password", network_address=None)
        return made.user.id


async def erase(settings: Settings, user_id: UserId) -> None:
    async with shopflow.open(settings) as shop:
        await shop.users.erase(user_id, by=None, reason="asked by letter")


def clock(connection: psycopg.Connection) -> datetime:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


def test_what_was_erased_after_the_time_is_erased_again(
    live: Settings,
    backup: Backup,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gone, stays = (asyncio.run(register(live, f"{name}@example.com")) for name in ("ann", "bob"))
    with source.connect(live) as connection:
        target = clock(connection)
        asyncio.run(erase(live, gone))
        assert erasures.export_recent(live) == 1
        assert erasures.export_recent(live) == 0
        archive_now(connection)
    restored = restore(live, place / "before", Target(target), check=False)
    old = settings_for(live, place / "before")
    try:
        with source.connect(old) as connection:
            emails = "SELECT email FROM users WHERE id = ANY(%s) ORDER BY email"
            both = connection.execute(emails, [[gone, stays]]).fetchall()
            assert both == [("ann@example.com",), ("bob@example.com",)]
            assert connection.execute("SELECT FROM user_sessions").rowcount >= 2
            done = apply_erasures.apply_to(old, Store(live))
            assert done.erased == 1
            # The other's: with an erasure its own end anyway.
            assert done.sessions >= 1
            after = connection.execute(emails, [[gone, stays]]).fetchall()
            assert after == [("bob@example.com",), (f"erased-{gone}@erased.invalid",)]
            assert connection.execute("SELECT FROM user_sessions").rowcount == 0
            log = connection.execute("SELECT user_id, reason FROM erasure_log").fetchall()
            assert (gone, "asked by letter") in log
        # By the command; it changes nothing more.
        monkeypatch.setenv("SHOPFLOW_HOME", str(old.home))
        monkeypatch.setenv("SHOPFLOW_BACKUP_URL", str(live.backup_url))
        apply_erasures.apply(json=True)
        assert '"erased": 0' in capsys.readouterr().out
    finally:
        Server(old).stop()
    assert restored.target == target


def test_a_backup_exports_the_whole_log(live: Settings, backup: Backup, place: Path) -> None:
    log = "INSERT INTO erasure_log (user_id, reason, erased_at) VALUES (uuidv7(), 'long ago', %s)"
    with source.connect(live) as connection:
        connection.execute(log, [clock(connection) - 5 * erasures.RECENT])
    assert erasures.export_recent(live) == 0
    create(live)
    assert "long ago" in {each.reason for each in erasures.read(Store(live))}


def test_a_shop_that_was_not_restored_keeps_its_sessions(
    live: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPFLOW_HOME", str(live.home))
    monkeypatch.setenv("SHOPFLOW_BACKUP_URL", str(live.backup_url))
    with pytest.raises(ServerError, match="was not restored"):
        apply_erasures.apply()


async def test_a_worker_exports_what_was_just_erased(live: Settings, backup: Backup) -> None:
    (job,) = (each for each in standard_jobs(live, {}) if each.name == "export_erasures")
    async with shopflow.open(live) as shop:
        with source.connect(live) as connection:
            connection.execute("INSERT INTO erasure_log (user_id, reason) VALUES (uuidv7(), 'now')")
        assert await job.run(shop.pool) == 1
