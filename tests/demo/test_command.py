"""`shopflow demo load`, run as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shopflow.settings import Settings

pytestmark = pytest.mark.acceptance


def demo_load(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("shopflow"), "demo", "load", *arguments],
        env=os.environ | {"SHOPFLOW_DATABASE_URL": settings.database_url or ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_json_is_the_whole_answer(settings: Settings) -> None:
    done = demo_load(settings, "--products", "30", "--seed", "3", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["products"], report["seed"]) == (30, 3)
    assert report["rows"]["products"] == 30
    assert report["seconds"] > 0


def test_a_full_shop_is_refused(settings: Settings) -> None:
    first = demo_load(settings, "--products", "20")
    assert "rows/s" in first.stdout
    again = demo_load(settings, "--products", "20")
    assert again.returncode == 1
    assert again.stdout == ""
    error = again.stderr.splitlines()[-1]
    assert error.startswith("error: the shop holds 20 products")
    assert "Traceback" not in again.stderr


@pytest.mark.parametrize("arguments", [["--products", "0"], ["--products", "-5"]])
def test_less_than_one_product(settings: Settings, arguments: list[str]) -> None:
    done = demo_load(settings, *arguments)
    assert done.returncode == 1
    assert "products: must be at least 1" in done.stderr


def test_not_a_number_is_wrong_usage(settings: Settings) -> None:
    assert demo_load(settings, "--products", "many").returncode == 2
