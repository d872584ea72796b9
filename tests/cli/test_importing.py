"""`shopflow import shopify`, run as its user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from shopflow.settings import Settings

SHOPFLOW = Path(sys.executable).with_name("shopflow")
pytestmark = pytest.mark.acceptance
GOOD = "Handle,Title,Variant Price\nmug,Mug,8.50\ntin,Tin,3\n"
BAD = "Handle,Title,Variant Price\nmug,Mug,8.50\ntin,Tin,cheap\n"


def run(settings: Settings, *arguments: object) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SHOPFLOW_")}
    return subprocess.run(
        [SHOPFLOW, "import", "shopify", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=kept | {"SHOPFLOW_DATABASE_URL": str(settings.database_url)},
        timeout=120,
    )


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.csv"
    path.write_text(GOOD)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.csv"
    path.write_text(BAD)
    return path


def test_it_says_what_it_did_and_how_fast(settings: Settings, good: Path) -> None:
    dry = run(settings, good, "--dry-run")
    assert "2 created, 0 updated, 0 unchanged" in dry.stdout
    assert "dry run: nothing was changed" in dry.stdout
    first = run(settings, good)
    assert (first.returncode, first.stderr) == (0, "")
    assert "2 created, 0 updated, 0 unchanged" in first.stdout
    assert " rows/s" in first.stdout
    again = run(settings, good)
    assert "0 created, 0 updated, 2 unchanged" in again.stdout
    assert again.stdout.endswith("nothing changed\n")


def test_a_bad_row_is_named_and_everything_refused(settings: Settings, bad: Path) -> None:
    refused = run(settings, bad)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.splitlines() == [
        "bad.csv, line 3, Variant Price: is not an amount of money (got 'cheap')",
        "error: nothing was imported: 1 bad row, in 1 product; correct it, or import the rest"
        " with --skip-bad",
    ]
    answer = msgspec.json.decode(run(settings, bad, "--json").stdout)
    assert answer["refused"]["problems"][0]["value"] == "cheap"


def test_skip_bad_says_where_the_rejects_are(settings: Settings, bad: Path) -> None:
    done = run(settings, bad, "--skip-bad", "--json")
    assert done.returncode == 0
    answer = msgspec.json.decode(done.stdout)
    assert answer["changes"]["products_created"] == 1
    assert answer["rejects"] == [str(bad.with_suffix(".rejects.csv"))]
    assert "line 3" in done.stderr


def test_wrong_usage_and_wrong_files(settings: Settings, tmp_path: Path) -> None:
    assert run(settings).returncode == 2
    missing = run(settings, tmp_path / "none.csv")
    assert missing.returncode == 1
    assert (
        missing.stderr == f"error: cannot read {tmp_path / 'none.csv'}: No such file or directory\n"
    )
