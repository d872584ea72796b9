"""`shopflow export`, and `shopflow import` of what it wrote, run as their user runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shopflow.settings import Settings

SHOPFLOW = Path(sys.executable).with_name("shopflow")
pytestmark = pytest.mark.acceptance
WOO = (
    "Type,SKU,Name,Regular price,Parent,Attribute 1 name,Attribute 1 value(s)\n"
    'variable,TEE,Tee,,,Size,"S, M"\n'
    "variation,TEE-S,,8.50,TEE,Size,S\n"
    "variation,TEE-M,,9,TEE,Size,M\n"
)


def run(settings: Settings, *arguments: object) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SHOPFLOW_")}
    return subprocess.run(
        [SHOPFLOW, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=kept | {"SHOPFLOW_DATABASE_URL": str(settings.database_url)},
        timeout=120,
    )


@pytest.fixture
def filled(settings: Settings, tmp_path: Path) -> Settings:
    """A shop that was imported from WooCommerce."""
    path = tmp_path / "woo.csv"
    path.write_text(WOO)
    tried = run(settings, "import", "woocommerce", path, "--dry-run")
    assert "dry run: nothing was changed" in tried.stdout
    done = run(settings, "import", "woocommerce", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "variants    2 created, 0 updated, 0 deactivated" in done.stdout
    return settings


@pytest.mark.parametrize(
    ("form", "name", "rows"), [("shopify", "a.csv", 2), ("jsonl", "a.jsonl", 1)]
)
def test_what_it_writes_can_be_imported(
    filled: Settings, tmp_path: Path, form: str, name: str, rows: int
) -> None:
    path = tmp_path / name
    done = run(filled, "export", form, path, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert (report["products"], report["rows"]) == (1, rows)
    assert (report["file"], report["bytes"]) == (str(path), path.stat().st_size)
    again = run(filled, "import", form, path)
    assert again.stdout.endswith("nothing changed\n")


def test_it_says_what_it_did(filled: Settings, tmp_path: Path) -> None:
    done = run(filled, "export", "jsonl", tmp_path / "a.jsonl")
    assert "products  1 in " in done.stdout
    assert " products/s" in done.stdout


def test_a_bad_line_is_named(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"slug":"a","name":"A","price":"x"}\n')
    refused = run(settings, "import", "jsonl", path)
    assert refused.returncode == 1
    first, last = refused.stderr.splitlines()
    assert first.startswith("bad.jsonl, line 1, price: ")
    assert first.endswith("(got 'x')")
    assert last.startswith("error: nothing was imported: 1 bad row, in 1 product")


def test_a_place_that_cannot_be_written(settings: Settings, tmp_path: Path) -> None:
    missing = run(settings, "export", "shopify", tmp_path / "no" / "a.csv")
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: cannot write ")
