"""`category_paths` says of each category what is above it, whoever changes the tree and when."""

import asyncio
import random
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection

from shopflow import Shop
from shopflow.ids import CategoryId
from shopflow.postgres.conninfo import conninfo
from shopflow.products import NewCategory
from shopflow.products.errors import CategoryCycleError
from shopflow.settings import Settings
from tests.catalogue import run
from tests.waiting import waiting

PATHS = "SELECT ancestor_id, descendant_id, depth FROM category_paths"
INSERT = "INSERT INTO categories (name, slug, parent_id) VALUES ('N', 'n', %s)"
MOVE = "UPDATE categories SET parent_id = %s WHERE id = %s"


async def true_paths(shop: Shop) -> set[tuple[UUID, UUID, int]]:
    """Walked up from each category."""
    parents = dict(await run(shop, "SELECT id, parent_id FROM categories"))
    found = set()
    for each in parents:
        above, depth = each, 0
        while above is not None:
            found.add((above, each, depth))
            above, depth = parents[above], depth + 1
    return found


async def right(shop: Shop) -> None:
    assert set(await run(shop, PATHS)) == await true_paths(shop)


async def made(shop: Shop, name: str, parent: CategoryId | None = None) -> CategoryId:
    return await shop.products.categories.create(NewCategory(name=name, parent_id=parent))


async def test_any_changes_keep_them_right(shop: Shop) -> None:
    ids: list[CategoryId] = []
    for number in range(60):
        match random.randrange(4):
            case 0 if len(ids) > 1:
                moved, to = random.sample(ids, 2)
                try:
                    await shop.products.categories.move(moved, to, expected_version=None)
                except CategoryCycleError:
                    continue
            case 1 if ids:
                await shop.products.categories.move(random.choice(ids), None, expected_version=None)
            case 2 if ids:
                gone = random.choice(ids)
                below = "SELECT FROM categories WHERE parent_id = %(id)s"
                if not await run(shop, below, id=gone):
                    await shop.products.categories.delete(gone, expected_version=None)
                    ids.remove(gone)
            case _:
                ids.append(await made(shop, f"C{number}", random.choice([None, *ids])))
        await right(shop)


async def test_a_statement_may_bring_a_tree_in_any_order_and_turn_it_round(shop: Shop) -> None:
    a, b, c = (UUID(int=n) for n in (3, 1, 2))
    await run(
        shop,
        "INSERT INTO categories (id, name, slug, parent_id) VALUES"
        " (%(c)s, 'C', 'c', %(b)s), (%(b)s, 'B', 'b', %(a)s), (%(a)s, 'A', 'a', NULL)",
        a=a,
        b=b,
        c=c,
    )
    await right(shop)
    # Each of the three goes below the one that was below it.
    await run(
        shop,
        "UPDATE categories SET parent_id = CASE slug WHEN 'a' THEN %(b)s WHEN 'b' THEN %(c)s END",
        b=b,
        c=c,
    )
    await right(shop)
    await run(shop, "UPDATE categories SET id = %(new)s WHERE id = %(c)s", new=UUID(int=9), c=c)
    await right(shop)


@pytest.mark.parametrize("first", ["move", "add"])
async def test_who_adds_below_what_is_being_moved_waits(
    shop: Shop, settings: Settings, first: str
) -> None:
    """Both look at a tree that the other changes; and two moves of one branch."""
    root, moved = await made(shop, "Root"), await made(shop, "Moved")
    below = await made(shop, "Below", moved)
    steps = {"move": (MOVE, (root, moved)), "add": (INSERT, (below,))}
    async with (
        await AsyncConnection.connect(conninfo(settings)) as one,
        await AsyncConnection.connect(conninfo(settings)) as other,
    ):
        (then,) = steps.keys() - {first}
        await one.execute(*steps[first])
        late = asyncio.create_task(other.execute(*steps[then]))
        await waiting(shop, 1)
        await one.commit()
        await late
        await other.commit()
    await right(shop)


async def test_an_old_snapshot_is_refused(shop: Shop, settings: Settings) -> None:
    root = await made(shop, "Root")
    async with await AsyncConnection.connect(conninfo(settings)) as old:
        await old.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        await old.execute("INSERT INTO categories (name, slug) VALUES ('R', 'r')")
        with pytest.raises(psycopg.DatabaseError, match="needs READ COMMITTED"):
            await old.execute(INSERT, [root])


async def test_a_path_is_not_of_less_than_nothing(shop: Shop) -> None:
    await made(shop, "A")
    with pytest.raises(psycopg.errors.CheckViolation, match="category_paths_depth_check"):
        await run(shop, "UPDATE category_paths SET depth = -1")
