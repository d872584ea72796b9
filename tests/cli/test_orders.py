"""`shopflow orders`, run as its user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from shopflow import Shop
from shopflow.settings import Settings
from tests.orders.sales import a_sale, stock

SHOPFLOW = Path(sys.executable).with_name("shopflow")
pytestmark = pytest.mark.acceptance


def expire(settings: Settings, *arguments: object) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SHOPFLOW_")}
    return subprocess.run(
        [SHOPFLOW, "orders", "expire-unpaid", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=kept | {"SHOPFLOW_DATABASE_URL": str(settings.database_url)},
        timeout=120,
    )


async def test_it_says_what_it_would_do_and_does_it_once(settings: Settings, shop: Shop) -> None:
    old = await a_sale(shop, 2, status="pending", age="61 minutes")
    young = await a_sale(shop, 2, status="pending")
    dry = expire(settings, "--older-than", "60m", "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "")
    assert dry.stdout == "dry run: would cancel 1 unpaid order\n"
    answer = msgspec.json.decode(
        expire(settings, "--older-than", "60m", "--dry-run", "--json").stdout
    )
    assert answer == {"older_than": 3600.0, "cancelled": 1, "dry_run": True}
    assert (await shop.orders.get(old.id)).status == "pending"
    done = expire(settings, "--older-than", "60m")
    assert (done.returncode, done.stdout, done.stderr) == (0, "cancelled 1 unpaid order\n", "")
    assert (await shop.orders.get(old.id)).status == "cancelled"
    assert (await shop.orders.get(young.id)).status == "pending"
    assert await stock(shop, old.products[0]) == 10
    again = msgspec.json.decode(expire(settings, "--older-than", "60m", "--json").stdout)
    assert again == {"older_than": 3600.0, "cancelled": 0, "dry_run": False}


def test_wrong_usage(settings: Settings) -> None:
    assert expire(settings).returncode == 2
    assert expire(settings, "--older-than", "soon").returncode == 2
    refused = expire(settings, "--older-than", "60")
    assert refused.returncode == 2
    assert "'60' is no age" in refused.stderr
    assert refused.stdout == ""
