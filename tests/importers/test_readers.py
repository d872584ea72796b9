"""Whatever stands in the cells of a CSV: a product, or a problem that can be stored."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopflow.importers.columns import Format, columns_of
from shopflow.importers.csv_file import Reader
from shopflow.importers.csv_records import Record
from shopflow.importers.products import GivenProduct
from shopflow.importers.shopify_columns import SHOPIFY
from shopflow.importers.shopify_rows import ShopifyReader
from shopflow.importers.woocommerce_columns import WOOCOMMERCE
from shopflow.importers.woocommerce_rows import WooReader

USUAL = st.sampled_from(
    ("", "a", "A > B", "x, y\\, z", "1", "-1", "9.90", "1,5", "true", "parent", "id:7", "variation",
     "variable", "simple, virtual", "https://x/1.jpg", "https://x/1.jpg, https://x/2.jpg", "ftp://x",
     "deny", "shopify", "draft", "Default Title", "\0", "x" * 300)
)  # fmt: skip
CELLS = st.one_of(USUAL, st.text(st.characters(codec="utf-8")))


def read(
    reader: Callable[..., Reader], kind: Format, rows: list[list[str]], width: int
) -> list[GivenProduct]:
    header = [names[0] for names in kind.names.values()]
    columns = columns_of(header, kind, "shop.csv")
    records = [
        Record((row * width)[:width], place, place * 10, place * 10 + 10)
        for place, row in enumerate(rows, 1)
    ]
    return list(reader(0, columns, lambda _line, _message: None).products(iter(records), 1))


@pytest.mark.parametrize(("reader", "kind"), [(ShopifyReader, SHOPIFY), (WooReader, WOOCOMMERCE)])
@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.lists(CELLS, min_size=1, max_size=30), max_size=6), off=st.integers(-1, 1))
def test_any_cells_are_products_or_problems(
    reader: Callable[..., Reader], kind: Format, rows: list[list[str]], off: int
) -> None:
    parts = read(reader, kind, rows, len(kind.names) + off)
    numbers = [part.n for part in parts]
    assert numbers == sorted(set(numbers))
    for part in parts:
        assert part.problems or part.handle
        assert part.rows >= 1
        owners = [
            *(each.part for each in part.variants),
            *(each.part for each in part.images),
            *(each.part for each in part.problems),
        ]
        assert set(owners) <= {part.n}
        texts = (part.title, part.description, *part.tags, *(each.url for each in part.images))
        assert not any("\0" in text for text in texts if text)
        for problem in part.problems:
            assert problem.field in {**kind.names, **kind.aliases}
            assert len(problem.value) <= 200 + problem.value.count("\\0")
            assert "\0" not in problem.value


def test_rows_of_a_handle_that_follow_each_other_are_one_part() -> None:
    width = len(SHOPIFY.names)
    rows = [[handle, "A title", *[""] * (width - 2)] for handle in ("a", "a", "b", "a")]
    parts = read(ShopifyReader, SHOPIFY, rows, width)
    assert [(part.n, part.handle, part.rows, part.stop) for part in parts] == [
        (1, "a", 2, 30),
        (3, "b", 1, 40),
        (4, "a", 1, 50),
    ]
