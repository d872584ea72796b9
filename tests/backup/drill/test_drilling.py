"""A drill passes on a sound backup and fails for each thing that can be wrong with one."""

import json
import os
from datetime import timedelta
from pathlib import Path
from random import Random

from shopflow.backup import Backup, Store, catalogue, create, drill, reports, source
from shopflow.backup.reports import KEY_FILE, Report
from shopflow.backup.scratch import NAME
from shopflow.settings import Settings

# Draws less than a thousandth of the window.
AT_THE_BEGINNING = next(seed for seed in range(100_000) if Random(seed).random() < 0.001)
# A row that is in the table and not in the index, as a lost write of a page leaves it; and an
# amount that nobody added up.
DAMAGE = b"""
UPDATE pg_index SET indisready = false WHERE indexrelid = 'brands_slug_key'::regclass;
INSERT INTO brands (name, slug) VALUES ('Acme', 'acme');
UPDATE pg_index SET indisready = true WHERE indexrelid = 'brands_slug_key'::regclass;
INSERT INTO orders (order_number, currency_code, subtotal, total_amount, customer_email, idempotency_key)
VALUES ('NO-LINES', 'EUR', 50, 50, 'guest@example.com', 'no lines');
"""


def results(report: Report) -> dict[str, str]:
    return {each.name: each.result for each in report.checks}


def signatures(settings: Settings) -> dict[str, str]:
    found = reports.history(Store(settings), settings)
    return {each.report.name: each.signature for each in found}


def test_a_sound_backup_passes_and_a_changed_report_is_found_out(
    live: Settings, backup: Backup, place: Path
) -> None:
    said: list[str] = []
    made = drill(live, seed=7, report=said.append)
    assert made.outcome == "passed", made.checks
    assert {"archive", "pg_verifybackup", "pg_amcheck", "canary_before", "canary_after"} <= set(
        results(made)
    )
    assert {"order_adds_up", "foreign_keys"} <= set(results(made))
    assert made.window_from < made.target < made.window_to
    assert made.measured_rpo is not None
    assert made.measured_rto is not None
    assert any("seed 7" in line for line in said)
    assert not (live.home / NAME).exists()

    assert signatures(live)[made.name] == "valid"
    file = place / "store" / "reports" / f"{made.name}.json"
    signed = file.read_bytes()
    changed = json.loads(signed)
    changed["report"]["measured_rto"] = 0.1
    file.write_text(json.dumps(changed))
    assert signatures(live)[made.name] == "changed"
    file.write_bytes(signed)
    key = live.home / KEY_FILE
    kept = key.read_bytes()
    key.write_bytes(os.urandom(32))
    assert signatures(live)[made.name] == "other key"
    key.write_bytes(kept)


def test_each_kind_of_damage_fails_it(live: Settings, backup: Backup) -> None:
    with source.connect(live) as superuser:
        superuser.execute(DAMAGE)
        superuser.execute(
            "INSERT INTO restore_canaries (written_at) VALUES (now() + interval '1 day')"
        )
        damaged = create(live)
        # Rows whose times lie make this restore one to another time than was asked for.
        superuser.execute(
            "INSERT INTO restore_canaries (written_at) VALUES (%s)",
            [damaged.finished_at - timedelta(minutes=1)],
        )
    try:
        made = drill(live, seed=AT_THE_BEGINNING)
    finally:
        with source.connect(live) as superuser:
            superuser.execute("DELETE FROM orders WHERE order_number = 'NO-LINES'")
            superuser.execute("REINDEX INDEX brands_slug_key")
            superuser.execute("DELETE FROM restore_canaries")
        create(live)
    assert made.outcome == "failed"
    assert {name for name, result in results(made).items() if result != "ok"} == {
        "pg_amcheck",
        "order_adds_up",
        "canary_before",
        "canary_after",
    }
    assert "brands_slug_key" in str(made.checks)


def test_a_missing_segment_fails_it(live: Settings, backup: Backup, place: Path) -> None:
    newest = catalogue.read(Store(live))[-1]
    segment = place / "store" / "wal" / f"{newest.start_wal}.gz"
    moved = segment.rename(place / "moved")
    try:
        made = drill(live)
    finally:
        moved.rename(segment)
    assert made.outcome == "failed"
    assert results(made) == {"archive": "ok", "restore": "failed"}
    assert newest.start_wal in str(made.checks)
    assert reports.history(Store(live), live)[-1].report == made
    assert not (live.home / NAME).exists()
