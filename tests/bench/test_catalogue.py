"""The generated catalogue: what triggers would keep is kept, an interruption changes nothing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest

import shopflow
from bench.catalogue import benches, chart, generating, listing, tree
from bench.catalogue.chart import Median, Recorded
from bench.frame import machine
from shopflow import settings as settings_module
from shopflow.migrations import runner
from shopflow.postgres.conninfo import conninfo
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings
from tests.conftest import fast_disk, fast_home, reachable_directory

PRODUCTS = 300
TABLES = ("categories", "brands", "users", "products", "product_variants", "product_images")
# By each statement, what triggers would have written otherwise.
KEPT = (
    """
    SELECT product_id FROM (
        SELECT product_id, sum(rating) AS rating_sum, count(*) AS rating_count
        FROM product_reviews WHERE is_approved GROUP BY product_id
    ) AS r FULL JOIN product_stats AS s USING (product_id)
    WHERE (coalesce(r.rating_sum, 0), coalesce(r.rating_count, 0))
        IS DISTINCT FROM (s.rating_sum, s.rating_count)
    """,
    "SELECT name FROM bench.indexes WHERE to_regclass(name) IS NULL",
    "SELECT id FROM products AS p WHERE NOT EXISTS (SELECT FROM product_images AS i"
    " WHERE i.product_id = p.id AND i.is_primary)",
    "SELECT product_id FROM product_reviews AS r WHERE NOT EXISTS (SELECT FROM users AS u"
    " WHERE u.id = r.user_id)",
)


class CutOffError(Exception):
    """Somebody pressed Ctrl-C."""


@pytest.fixture(scope="module")
def catalogue() -> Iterator[tuple[Settings, dict[str, str]]]:
    """A catalogue that was cut off and gone on with, and what one is that was made at once."""
    patch = pytest.MonkeyPatch()
    patch.setattr(generating, "BATCH", 100)
    with reachable_directory(fast_disk()) as directory:
        settings = settings_module.load({}, home=fast_home(directory))
        Server(settings).start()
        try:
            asyncio.run(generating.fill(settings, PRODUCTS, lambda _message: None))
            at_once = contents(settings)
            with psycopg.connect(conninfo(settings)) as connection:
                connection.execute("DROP SCHEMA shopflow, bench CASCADE")
            with pytest.raises(CutOffError):
                asyncio.run(generating.fill(settings, PRODUCTS, cut_off_after_a_batch))
            asyncio.run(generating.fill(settings, PRODUCTS, lambda _message: None))
            yield settings, at_once
        finally:
            Server(settings).stop()
            patch.undo()


def cut_off_after_a_batch(message: str) -> None:
    if message.startswith("products from"):
        raise CutOffError


def contents(settings: Settings) -> dict[str, str]:
    """What is in each table, as a hash; some times are those of the loading."""
    with psycopg.connect(conninfo(settings)) as connection:
        return {
            table: connection.execute(
                psycopg.sql.SQL(
                    "SELECT md5(string_agg((to_jsonb(t) - 'created_at' - 'updated_at')::text, ''"
                    " ORDER BY id)) FROM {} AS t"
                ).format(psycopg.sql.Identifier(table))
            ).fetchall()[0][0]
            for table in (*TABLES, "product_reviews")
        }


def test_going_on_gives_the_same_as_making_it_at_once(
    catalogue: tuple[Settings, dict[str, str]],
) -> None:
    settings, at_once = catalogue
    assert contents(settings) == at_once
    assert None not in at_once.values()


def test_what_triggers_keep_is_right(catalogue: tuple[Settings, dict[str, str]]) -> None:
    settings, _ = catalogue
    with psycopg.connect(conninfo(settings)) as connection:
        for statement in KEPT:
            assert connection.execute(statement.encode()).fetchall() == []
        counted = connection.execute("SELECT count(*) FROM products").fetchall()
    assert counted == [(PRODUCTS,)]


def test_another_number_of_products_is_refused(
    catalogue: tuple[Settings, dict[str, str]],
) -> None:
    with pytest.raises(ValueError, match="holds 300 products, not 400"):
        asyncio.run(generating.fill(catalogue[0], 400, lambda _message: None))


def test_stock_is_the_sum_of_its_movements(catalogue: tuple[Settings, dict[str, str]]) -> None:
    settings, _ = catalogue
    runner.up(settings)

    async def differences() -> object:
        async with shopflow.open(settings) as shop:
            return await shop.products.stock.check()

    assert not asyncio.run(differences())


def test_the_tree_has_four_levels_of_uneven_size() -> None:
    made = tree.categories(500)
    assert len(made) == 500
    assert {each.level for each in made} == {0, 1, 2, 3}
    below = [sum(each.parent == place for each in made) for place in range(500)]
    assert max(below) > 5 * (sum(below) / len([count for count in below if count]))


def test_words_and_brands_are_not_there_twice() -> None:
    words = tree.ranked_words()
    assert len(set(words)) == len(words) == tree.MADE_WORDS
    assert len(set(tree.brand_names(2000))) == 2000


def test_summary_takes_the_largest_catalogue_and_leaves_out_what_is_not_of_the_mix() -> None:
    times = {
        "ours": {10: (1.0, 2.0, 2.0), 100: (2.0, 2.0, 4.0)},
        "orm": {10: (5.0, 5.0, 5.0), 100: (8.0, 10.0, 9.0)},
        "literal": {10: (1.0, 1.0, 1.0), 100: (20.0, 200.0, 9.0)},
    }
    rounds = {
        f"{way}.{size}.{case}.p50": [value, value, 1000.0]
        for way, sizes in times.items()
        for size, values in sizes.items()
        for case, value in zip(("newest", "brand", "page_10000"), values, strict=True)
    }
    rounds["ours.100.page_1.p50"] = [2.0]
    rounds |= {"ours_c8.100.mix.rate": [6.0], "limit_c8.100.mix.rate": [8.0]}
    assert benches.summary(listing.READING, rounds) == {
        "vs_orm_median": 4.5,
        "vs_literal_median": 55.0,
        "vs_literal_worst": 10.0,
        "vs_limit_c8": 0.75,
        "growth": 1.5,
        "deep_page": 2.0,
    }


def recorded(bench: str) -> Recorded:
    return Recorded(
        bench=bench,
        machine=machine(),
        results={
            "ours": {
                10: {"newest": {"p50": Median(0.001), "p95": Median(0.003)}},
                1000: {"newest": {"p50": Median(0.002), "p95": Median(0.004)}},
            },
            "literal": {1000: {"newest": {"p50": Median(2.5), "p95": Median(3.0)}}},
        },
        ratios={"vs_literal_median": 1250.0},
    )


def test_a_run_becomes_a_picture_and_a_table(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(
        "# Before\n\n<!-- bench listing: begin -->\nold\n<!-- bench listing: end -->\n\nafter\n"
    )
    file = tmp_path / "run.json"
    file.write_bytes(msgspec.json.encode(recorded("listing")))
    chart.write(chart.read(file), page)
    text = page.read_text()
    assert "| newest | 1 | 2 | 2,500 | 4 |" in text
    assert "| `vs_literal_median` | 1250.00 |" in text
    assert text.startswith("# Before")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "(performance-listing.svg)" in text
    picture = page.with_name("performance-listing.svg").read_text()
    assert picture.count("<circle") == 4
    # Twice written, it is the same.
    chart.write(recorded("listing"), page)
    assert page.read_text() == text


def test_a_page_without_the_marks_is_not_written(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("nothing\n")
    with pytest.raises(ValueError, match="bench facets: begin"):
        chart.write(recorded("facets"), page)
    assert page.read_text() == "nothing\n"
