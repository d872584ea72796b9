"""Images: exactly one is primary, whoever adds, removes and chooses at the same time."""

import asyncio
from uuid import UUID

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import ImageId, ProductId, VariantId
from shopflow.products import ImageChanges, NewImage
from tests.catalogue import a_product, a_variant, run

PRIMARY = "SELECT id FROM product_images WHERE is_primary"


def new(name: str, *, is_primary: bool = False) -> NewImage:
    return NewImage(url=f"https://images.example/{name}.jpg", is_primary=is_primary)


async def images(shop: Shop, product_id: ProductId) -> list[tuple[str, bool]]:
    found = (await shop.products.get(product_id)).images
    return [(image.url[23:-4], image.is_primary) for image in found]


async def test_the_first_image_is_primary_and_others_follow(shop: Shop) -> None:
    product_id = await a_product(shop)
    for name in ("a", "b"):
        await shop.products.images.add(product_id, new(name))
    assert await images(shop, product_id) == [("a", True), ("b", False)]
    await shop.products.images.add(product_id, new("c", is_primary=True))
    assert await images(shop, product_id) == [("a", False), ("b", False), ("c", True)]


async def test_another_image_is_chosen_and_one_removed(shop: Shop) -> None:
    product_id = await a_product(shop)
    a, b, c = [await shop.products.images.add(product_id, new(name)) for name in "abc"]
    await shop.products.images.set_primary(b)
    assert await images(shop, product_id) == [("a", False), ("b", True), ("c", False)]
    await shop.products.images.set_primary(b)
    await shop.products.images.remove(b)
    assert await images(shop, product_id) == [("a", True), ("c", False)]
    await shop.products.images.remove(c)
    await shop.products.images.remove(a)
    assert await images(shop, product_id) == []


async def test_images_are_put_in_order_all_or_none(shop: Shop) -> None:
    product_id = await a_product(shop)
    a, b, c = [await shop.products.images.add(product_id, new(name)) for name in "abc"]
    await shop.products.images.reorder(product_id, [c, a, b])
    assert await images(shop, product_id) == [("c", False), ("a", True), ("b", False)]
    for wrong in ([c, a], [c, a, b, b], [c, a, ImageId(UUID(int=0))], []):
        with pytest.raises(InvalidInputError, match="image_ids: must name each image once"):
            await shop.products.images.reorder(product_id, wrong)
    await shop.products.images.add(product_id, new("d"))
    assert [name for name, _ in await images(shop, product_id)] == ["c", "a", "b", "d"]


async def test_an_image_shows_a_variant_of_its_own_product(shop: Shop) -> None:
    product_id, other = await a_product(shop), await a_product(shop)
    variant_id, foreign = await a_variant(shop, product_id), await a_variant(shop, other)
    image = NewImage(url="u", alt_text="Front", variant_id=variant_id)
    image_id = await shop.products.images.add(product_id, image)
    with pytest.raises(NotFoundError, match=f"no such variant: {foreign}"):
        await shop.products.images.update(image_id, ImageChanges(variant_id=foreign))
    await shop.products.images.update(image_id, ImageChanges(variant_id=None, url="v"))
    (found,) = (await shop.products.get(product_id)).images
    assert (found.url, found.alt_text, found.variant_id) == ("v", "Front", None)
    with pytest.raises(NotFoundError, match="no such variant"):
        await shop.products.images.add(
            product_id, NewImage(url="w", variant_id=VariantId(UUID(int=0)))
        )


async def test_what_is_not_there_is_not_found(shop: Shop) -> None:
    nothing = ImageId(UUID(int=0))
    for call in (
        shop.products.images.set_primary(nothing),
        shop.products.images.remove(nothing),
        shop.products.images.update(nothing, ImageChanges(url="u")),
    ):
        with pytest.raises(NotFoundError, match="no such image"):
            await call
    with pytest.raises(NotFoundError, match="no such product"):
        await shop.products.images.add(ProductId(UUID(int=0)), new("a"))
    with pytest.raises(InvalidInputError, match="url: must not be blank"):
        await shop.products.images.add(await a_product(shop), NewImage(url=" "))


async def test_many_who_choose_at_once_leave_one(shop: Shop) -> None:
    product_id = await a_product(shop)
    ids = [await shop.products.images.add(product_id, new(str(n))) for n in range(8)]
    await asyncio.gather(
        *(shop.products.images.set_primary(image_id) for image_id in ids * 3),
        *(shop.products.images.add(product_id, new(f"new{n}", is_primary=True)) for n in range(4)),
    )
    assert len(await run(shop, PRIMARY)) == 1
    await asyncio.gather(*(shop.products.images.remove(image_id) for image_id in ids[:7]))
    assert len(await run(shop, PRIMARY)) == 1
    assert len(await images(shop, product_id)) == 5


async def test_the_first_images_at_once_leave_one_primary(shop: Shop) -> None:
    product_id = await a_product(shop)
    await asyncio.gather(*(shop.products.images.add(product_id, new(str(n))) for n in range(6)))
    places = await run(shop, "SELECT sort_order FROM product_images ORDER BY 1")
    assert places == [(n,) for n in range(1, 7)]
    assert len(await run(shop, PRIMARY)) == 1
