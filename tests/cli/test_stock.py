"""`shopflow stock check`, run as its user runs it."""

import msgspec
import psycopg
import pytest

from shopflow import Shop
from shopflow.settings import Settings
from tests.catalogue import a_product, a_variant
from tests.cli.conftest import shopflow
from tests.postgres.test_roles import as_superuser

pytestmark = pytest.mark.acceptance


async def test_it_says_what_does_not_add_up_and_exits_with_1(
    shop: Shop, settings: Settings
) -> None:
    product_id = await a_product(shop, sku="MUG", stock_quantity=5)
    await a_variant(shop, await a_product(shop))
    url = {"SHOPFLOW_DATABASE_URL": settings.database_url}
    right = shopflow("stock", "check", **url)
    assert (right.returncode, right.stderr) == (0, "")
    assert right.stdout == "every stock is the sum of its movements\n"
    assert shopflow("stock", "check", "--json", **url).stdout == "[]\n"
    with psycopg.connect(as_superuser(settings), autocommit=True) as connection:
        connection.execute(
            "SELECT set_config('session_replication_role', 'replica', false),"
            " set_config('search_path', %s, false)",
            [settings.search_path],
        )
        connection.execute("UPDATE products SET stock_quantity = 6 WHERE sku = 'MUG'")
    wrong = shopflow("stock", "check", **url)
    assert (wrong.returncode, wrong.stderr) == (1, "")
    assert wrong.stdout.splitlines() == [
        "rule\tsku\tstock\texpected\tproduct_id\tvariant_id",
        f"product movements\tMUG\t6\t5\t{product_id}\t",
    ]
    answer = shopflow("stock", "check", "--json", **url)
    assert answer.returncode == 1
    assert msgspec.json.decode(answer.stdout) == [
        {
            "rule": "product movements",
            "product_id": str(product_id),
            "variant_id": None,
            "sku": "MUG",
            "stock": 6,
            "expected": 5,
        }
    ]
