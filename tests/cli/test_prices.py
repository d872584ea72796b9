"""`shopflow prices` and `shopflow stock apply`, run as their user runs them."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shopflow import Shop
from shopflow.settings import Settings
from tests.catalogue import a_category, a_product, inserted, run
from tests.cli.conftest import Run, shopflow

pytestmark = pytest.mark.acceptance


@pytest.fixture
def url(settings: Settings) -> dict[str, Any]:
    return {"SHOPFLOW_DATABASE_URL": settings.database_url}


async def price(shop: Shop, sku: str) -> Decimal:
    ((found,),) = await run(shop, "SELECT price FROM products WHERE sku = %(sku)s", sku=sku)
    assert isinstance(found, Decimal)
    return found


async def test_a_rule_is_previewed_applied_listed_and_undone(
    shop: Shop, url: dict[str, Any]
) -> None:
    brand = await inserted(shop, "brands", {"name": "Acme", "slug": "acme"})
    category = await a_category(shop)
    await run(shop, "UPDATE categories SET slug = 'mugs'")
    await a_product(shop, name="Mug", sku="MUG", brand_id=brand, category_id=category, tags=["new"])
    await a_product(shop, sku="OTHER")
    rule = ("--percent", "-10", "--ending", ".99", "--compare-at", "was")
    which = ("--brand", "ACME", "--category", "mugs", "--tag", "new", "--sku", "mug")
    dry = shopflow("prices", "preview", *rule, *which, "--dry-run", **url)
    assert dry.stdout.splitlines() == [
        "sku\tname\tfrom\tto\tstatus\tfound",
        "MUG\tMug\t20.00\t17.99 (was 20.00)\tpending\t",
        "1 would change, 0 are so already",
    ]
    shown = shopflow("prices", "preview", *rule, *which, "--description", "Sale", "--json", **url)
    draft = msgspec.json.decode(shown.stdout)
    assert (draft["lines"], draft["first"][0]["new_price"]) == (1, "17.99")
    assert await price(shop, "MUG") == Decimal("20.00")

    done = shopflow("prices", "apply", draft["id"], **url)
    assert done.stdout.splitlines() == [
        f"id           {draft['id']}",
        "description  Sale",
        "status       done",
        "lines        1",
        "applied      1",
    ]
    assert await price(shop, "MUG") == Decimal("17.99")
    listed = shopflow("prices", "list", **url).stdout.splitlines()
    assert [row.split("\t")[1:5] for row in listed] == [
        ["kind", "status", "lines", "conflicts"],
        ["price", "done", "1", "0"],
    ]
    answer = msgspec.json.decode(shopflow("prices", "list", "--json", **url).stdout)
    assert (answer["items"][0]["id"], answer["next"]) == (draft["id"], None)

    back = msgspec.json.decode(shopflow("prices", "undo", draft["id"], "--json", **url).stdout)
    assert (back["status"], back["lines"]["undone"]) == ("undone", 1)
    assert await price(shop, "MUG") == Decimal("20.00")
    shown = shopflow("prices", "show", draft["id"], "--status", "undone", **url)
    assert shown.stdout.splitlines()[-1].startswith("MUG\tMug\t20.00\t17.99 (was 20.00)\tundone")
    answer = msgspec.json.decode(shopflow("prices", "show", draft["id"], "--json", **url).stdout)
    assert answer["change"]["description"] == "Sale"
    assert answer["lines"]["items"][0]["sku"] == "MUG"


async def test_a_file_with_a_bad_line_is_refused_and_says_which(
    shop: Shop, url: dict[str, Any], tmp_path: Path
) -> None:
    await a_product(shop, sku="MUG")
    file = tmp_path / "prices.csv"
    file.write_text("sku,price,colour\nMUG,9.90,red\nNOBODY,1.00,\nMUG,cheap,\n")
    refused = shopflow("prices", "preview", str(file), **url)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines() == [
        "note: columns that are not looked at: colour",
        "line 3: sku: no product or active variant has it (got 'NOBODY')",
        "line 4: price: is not an amount of money (got 'cheap')",
        "error: 2 lines cannot be, the first one: line 3: sku: no product or active variant has it"
        " (got 'NOBODY')",
    ]
    answer = shopflow("prices", "preview", str(file), "--json", **url)
    problems = msgspec.json.decode(answer.stdout)
    assert (answer.returncode, problems["refused"]) == (1, 2)
    assert problems["problems"][0] == {
        "line": 3,
        "sku": "NOBODY",
        "field": "sku",
        "value": "NOBODY",
        "reason": "no product or active variant has it",
    }
    left = shopflow("prices", "preview", str(file), "--skip-bad", "--json", **url)
    draft = msgspec.json.decode(left.stdout)
    assert (left.returncode, draft["lines"], draft["refused"]) == (0, 1, 2)
    shopflow("prices", "apply", draft["id"], **url)
    assert await price(shop, "MUG") == Decimal("9.90")


async def test_a_schedule_is_made_and_cancelled(shop: Shop, url: dict[str, Any]) -> None:
    await a_product(shop, sku="MUG")
    shown = shopflow("prices", "preview", "--fixed", "15", "--all-products", "--json", **url)
    draft = msgspec.json.decode(shown.stdout)["id"]
    times = ("--start", "2126-11-27T00:00+01:00", "--end", "2126-11-30T00:00+01:00")
    answer = msgspec.json.decode(
        shopflow("prices", "schedule", draft, *times, "--json", **url).stdout
    )
    assert answer["status"] == "scheduled"
    assert answer["starts_at"].startswith("2126-11-26T23:00:00")
    assert "2126-11-29 23:00" in shopflow("prices", "list", **url).stdout
    cancelled = shopflow("prices", "cancel", draft, **url)
    assert "status       cancelled" in cancelled.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("preview",), "needs either a file or one of"),
        (("preview", "--percent", "1"), "needs a filter"),
        (("preview", "--percent", "1", "--fixed", "1", "--all-products"), "takes one of"),
        (("preview", "--percent", "much", "--all-products"), "is not a number"),
        (("preview", "--percent", "NaN", "--all-products"), "is not a number"),
        (("preview", "--percent", "1", "--brand", "nobody"), "no such brand: nobody"),
        (("preview", "--percent", "1", "--category", "none"), "no such category: none"),
        (("preview", "prices.csv", "--brand", "acme"), "no filter fits"),
        (("apply", "7"), "is not the id of a bulk change"),
        (("apply", "00000000-0000-7000-8000-000000000000"), "no such bulk change"),
        (
            ("schedule", "00000000-0000-7000-8000-000000000000", "--start", "Friday"),
            "is not a time",
        ),
        (
            ("schedule", "00000000-0000-7000-8000-000000000000", "--start", "2126-11-27"),
            "must have a time zone",
        ),
    ],
)
def test_what_cannot_be(
    inside: Run, url: dict[str, Any], arguments: tuple[str, ...], said: str
) -> None:
    refused = inside("prices", *arguments, **url)
    assert refused.returncode == 1
    assert said in refused.stderr


async def test_stocks_from_a_file_and_back(shop: Shop, url: dict[str, Any], tmp_path: Path) -> None:
    await a_product(shop, name="Mug", sku="MUG", stock_quantity=10)
    file = tmp_path / "counted.csv"
    file.write_text("sku,stock\nMUG,7\n")
    dry = shopflow("stock", "apply", str(file), "--dry-run", **url)
    assert dry.stdout.splitlines()[1:] == [
        "MUG\tMug\t10\t7\tpending\t",
        "1 would change, 0 are so already",
    ]
    answer = msgspec.json.decode(shopflow("stock", "apply", str(file), "--json", **url).stdout)
    assert (answer["kind"], answer["status"], answer["description"]) == (
        "stock",
        "done",
        "counted.csv",
    )
    assert await run(shop, "SELECT stock_quantity FROM products") == [(7,)]
    again = shopflow("stock", "apply", str(file), **url)
    assert again.stdout == "0 would change, 1 are so already\n"
    undone = shopflow("stock", "undo", answer["id"], **url)
    assert "undone       1" in undone.stdout
    assert await run(shop, "SELECT stock_quantity FROM products") == [(10,)]
