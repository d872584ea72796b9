"""Search by meaning, with a model that knows what a few words mean."""

from collections.abc import Mapping, Sequence

import msgspec
import psycopg
import pytest

import shopflow
from shopflow import Shop
from shopflow.errors import InvalidInputError
from shopflow.ids import ProductId
from shopflow.migrations import drift
from shopflow.postgres import roles
from shopflow.products.filters import ProductFilters
from shopflow.products.search.embedding import SemanticSearchError
from shopflow.settings import Settings
from tests.catalogue import a_product
from tests.postgres.test_roles import as_superuser

CONCEPTS = [
    {"couch", "armchair", "seat", "sit", "somewhere"},
    {"mug", "teapot", "kettle", "drink", "coffee"},
    {"headphones", "earbuds", "speaker", "listen", "music"},
    {"boots", "shoes", "sandals", "feet", "walk"},
]


class Concepts:
    """A vector has a place for each concept, and a little of everything."""

    dimensions = len(CONCEPTS) + 1

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [self._vector(set(text.lower().split())) for text in texts]

    def _vector(self, words: set[str]) -> list[float]:
        return [*(float(len(words & concept)) for concept in CONCEPTS), 0.1]


class Wrong(Concepts):
    def __init__(self, vectors: list[list[float]]) -> None:
        self._vectors = vectors

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return self._vectors if texts else []


@pytest.fixture
async def semantic(shop: Shop, settings: Settings) -> Shop:
    """The shop, on a server whose administrator has made the extension."""
    with psycopg.connect(as_superuser(settings), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector SCHEMA public")
    await shop.products.search.semantic.enable(Concepts.dimensions)
    return shop


async def test_what_is_meant_is_found_without_its_words(
    semantic: Shop, goods: Mapping[str, ProductId]
) -> None:
    search, model = semantic.products.search, Concepts()
    assert await search.semantic.embed(model) == len(goods)
    assert await search.semantic.embed(model) == 0
    found = await search.semantic.find("somewhere to sit", model, limit=2)
    assert {item.slug for item in found.items} == {"couch", "armchair"}
    # What both lists have comes first, and what one of them has is there too.
    found = await search.semantic.find("listen headphones", model, limit=4)
    assert {item.slug for item in found.items[:2]} <= {"headphones", "wired", "earbuds", "speaker"}
    found = await search.semantic.find("studio headphones", model)
    assert found.items[0].slug == "wired"
    assert {"headphones", "earbuds"} <= {item.slug for item in found.items[:5]}
    assert (await search.semantic.find("stuudio", model)).corrected == "studio"


async def test_pages_and_filters(semantic: Shop, goods: Mapping[str, ProductId]) -> None:
    find, model = semantic.products.search.semantic.find, Concepts()
    await semantic.products.search.semantic.embed(model)
    whole = [item.id for item in (await find("drink coffee", model, limit=100)).items]
    assert len(whole) == len(goods)
    page = await find("drink coffee", model, limit=15)
    seen = [item.id for item in page.items]
    while page.next:
        page = await find("drink coffee", model, limit=15, cursor=page.next)
        seen += [item.id for item in page.items]
    assert seen == whole
    with pytest.raises(InvalidInputError, match="cursor"):
        await find("drink", model, cursor=page.previous)
    only = ProductFilters(tags=("furniture",))
    found = await find("drink coffee", model, only)
    assert {item.slug for item in found.items} == {
        "couch",
        "armchair",
        "dining-table",
        "coffee-table",
        "desk",
    }


async def test_a_changed_text_needs_a_new_vector(semantic: Shop) -> None:
    await a_product(semantic, name="Couch")
    gone = await a_product(semantic, name="Mug")
    search, model = semantic.products.search, Concepts()
    assert await search.semantic.embed(model) == 2
    async with semantic.pool.connection() as connection:
        await connection.execute("UPDATE products SET name = 'Boots' WHERE name = 'Couch'")
        await connection.execute("UPDATE products SET is_active = false WHERE id = %s", [gone])
    assert await search.semantic.embed(model) == 1
    found = await search.semantic.find("feet", model)
    assert [item.name for item in found.items] == ["Boots"]


@pytest.mark.parametrize("vectors", [[], [[1.0]], [[float("nan")] * 5]])
async def test_a_model_that_answers_otherwise_is_refused(
    semantic: Shop, vectors: list[list[float]]
) -> None:
    await a_product(semantic, name="Couch")
    with pytest.raises(InvalidInputError, match="model"):
        await semantic.products.search.semantic.embed(Wrong(vectors))


async def test_it_is_switched_on_and_off(semantic: Shop, settings: Settings) -> None:
    search = semantic.products.search.semantic
    await search.enable(Concepts.dimensions)
    assert drift.check(settings).drift == []
    for dimensions in (0, 2001, 7):
        with pytest.raises(InvalidInputError, match="dimensions"):
            await search.enable(dimensions)
    await search.disable()
    await search.disable()
    for doing in (search.embed(Concepts()), search.find("x", Concepts())):
        with pytest.raises(SemanticSearchError, match="not switched on"):
            await doing
    await search.enable(7)


async def test_without_the_extension_it_is_said_who_makes_it(shop: Shop) -> None:
    with pytest.raises(SemanticSearchError, match="an administrator makes the extension"):
        await shop.products.search.semantic.enable(5)
    await a_product(shop, name="Couch")
    assert len((await shop.products.search.find("couch")).items) == 1


async def test_the_app_uses_it_and_does_not_switch_it(semantic: Shop, settings: Settings) -> None:
    with psycopg.connect(as_superuser(settings), autocommit=True) as connection:
        roles.create(connection, settings)
    await a_product(semantic, name="Couch")
    app = msgspec.structs.replace(settings, database_role=roles.name_of(settings, "app"))
    async with shopflow.open(app) as found:
        search = found.products.search.semantic
        assert await search.embed(Concepts()) == 1
        assert len((await search.find("sit", Concepts())).items) == 1
        with pytest.raises(SemanticSearchError, match="owner"):
            await search.disable()
