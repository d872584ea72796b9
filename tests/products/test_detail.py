"""§4.2: one product with all that belongs to it."""

from decimal import Decimal
from uuid import UUID, uuid4

import msgspec
import pytest

from shopflow import NotFoundError, Shop
from shopflow.products.models import Product
from tests.catalogue import a_product, a_user, a_variant, inserted, run

SPECIFICATION = """
SELECT
  json_build_object(
    'id', c.id,
    'name', c.name,
    'slug', c.slug
  ) as category,
  json_build_object(
    'id', b.id,
    'name', b.name
  ) as brand,
  (
    SELECT json_agg(json_build_object(
      'id', pi.id,
      'url', pi.url,
      'alt_text', pi.alt_text,
      'is_primary', pi.is_primary
    ) ORDER BY pi.sort_order)
    FROM product_images pi
    WHERE pi.product_id = p.id
  ) as images,
  (
    SELECT json_agg(json_build_object(
      'id', pv.id,
      'name', pv.name,
      'sku', pv.sku,
      'price', pv.price,
      'stock_quantity', pv.stock_quantity,
      'option_values', pv.option_values
    ) ORDER BY pv.sort_order)
    FROM product_variants pv
    WHERE pv.product_id = p.id AND pv.is_active = TRUE
  ) as variants
FROM products p
LEFT JOIN categories c ON p.category_id = c.id
LEFT JOIN brands b ON p.brand_id = b.id
WHERE p.id = %(id)s AND p.deleted_at IS NULL
"""


async def test_it_holds_all_that_the_specification_returns(shop: Shop) -> None:
    product_id = await a_product(
        shop,
        category_id=await inserted(shop, "categories", {"name": "Shirts", "slug": "shirts"}),
        brand_id=await inserted(shop, "brands", {"name": "Acme", "slug": "acme"}),
        tags=["new", "warm"],
        attributes='{"material": "wool"}',
    )
    for place in (3, 1, 2):
        variant = await a_variant(shop, product_id, sort_order=place)
        image = {"product_id": product_id, "url": f"https://images.example/{place}"}
        await inserted(shop, "product_images", image | {"sort_order": place, "variant_id": variant})
    await a_variant(shop, product_id, sort_order=0, is_active=False)

    product = await shop.products.get(product_id)

    ((category, brand, images, variants),) = await run(shop, SPECIFICATION, id=product_id)
    assert _part(product.category) == msgspec.json.decode(category)
    assert _part(product.brand) == msgspec.json.decode(brand)
    assert len(product.images) == len(product.variants) == 3
    for ours, theirs in ((product.images, images), (product.variants, variants)):
        for mine, expected in zip(ours, msgspec.json.decode(theirs), strict=True):
            assert _part(mine).items() >= expected.items()
    assert product.attributes == {"material": "wool"}
    assert product.tags == ("new", "warm")
    assert product.stock_quantity == 30


async def test_it_holds_every_column_of_the_table(shop: Shop) -> None:
    rows = await run(
        shop,
        "SELECT attname FROM pg_attribute"
        " WHERE attrelid = 'products'::regclass AND attnum > 0 AND NOT attisdropped",
    )
    assert {name for (name,) in rows} <= set(Product.__struct_fields__)


async def test_what_is_not_there_is_empty_or_none(shop: Shop) -> None:
    product = await shop.products.get(await a_product(shop))
    assert (product.images, product.variants) == ((), ())
    assert (product.category, product.brand) == (None, None)
    assert product.price == Decimal("20.00")
    assert product.created_at.tzinfo is not None
    assert (product.avg_rating, product.review_count) == (None, 0)


async def test_it_has_the_average_and_count_of_the_approved_reviews(shop: Shop) -> None:
    product_id = await a_product(shop)
    for rating, is_approved in ((5, True), (4, True), (1, False)):
        review = {"product_id": product_id, "user_id": await a_user(shop), "rating": rating}
        await inserted(shop, "product_reviews", review | {"is_approved": is_approved})
    product = await shop.products.get(product_id)
    assert (product.avg_rating, product.review_count) == (Decimal("4.5"), 2)


async def test_it_is_found_by_slug_in_any_case_and_by_the_text_of_its_id(shop: Shop) -> None:
    product_id = await a_product(shop, slug="Warm-Socks")
    for key in ("warm-socks", "WARM-SOCKS", str(product_id), product_id):
        assert (await shop.products.get(key)).id == product_id


async def test_a_slug_that_reads_as_an_id_is_found(shop: Shop) -> None:
    slug = str(uuid4())
    product_id = await a_product(shop, slug=slug)
    assert (await shop.products.get(slug)).id == product_id


async def test_an_inactive_product_is_found_and_a_deleted_one_is_not(shop: Shop) -> None:
    product_id = await a_product(shop, slug="gone", is_active=False)
    assert not (await shop.products.get(product_id)).is_active
    await run(shop, "UPDATE products SET deleted_at = now()")
    for key in (product_id, "gone"):
        with pytest.raises(NotFoundError, match="no such product") as refused:
            await shop.products.get(key)
        assert refused.value.key == key


async def test_the_slug_of_a_deleted_product_finds_its_successor(shop: Shop) -> None:
    await a_product(shop, slug="socks")
    await run(shop, "UPDATE products SET deleted_at = now()")
    successor = await a_product(shop, slug="socks")
    assert (await shop.products.get("socks")).id == successor


async def test_an_unknown_id_is_refused(shop: Shop) -> None:
    with pytest.raises(NotFoundError):
        await shop.products.get(UUID(int=0))


def _part(part: object) -> dict[str, object]:
    # As plain JSON, whose numbers compare with those of the specification's own answer.
    decimals_as_numbers = msgspec.json.Encoder(decimal_format="number")
    return dict(msgspec.json.decode(decimals_as_numbers.encode(part)))
