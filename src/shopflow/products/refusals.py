"""The name of a constraint of the catalogue as the error that names the field and its value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from shopflow.errors import (
    ConstraintViolatedError,
    InvalidInputError,
    NotFoundError,
    ShopflowError,
)
from shopflow.postgres import failures
from shopflow.products.errors import (
    OptionsTakenError,
    ProductArchivedError,
    SkuTakenError,
    SlugTakenError,
)

Given = Mapping[str, object]


def _compare_price(given: Given) -> ShopflowError:
    if given.get("compare_at_price") is None:
        reason = "must be below the compare-at price: change that too, or set it to None"
        return InvalidInputError("price", given.get("price"), reason)
    return InvalidInputError(
        "compare_at_price", given["compare_at_price"], "must be above the price"
    )


def _missing(kind: str, field: str) -> Callable[[Given], ShopflowError]:
    return lambda given: NotFoundError(kind, given.get(field))


_REFUSALS: Mapping[str, Callable[[Given], ShopflowError]] = {
    "idx_products_slug": lambda given: SlugTakenError(given.get("slug")),
    "idx_categories_slug": lambda given: SlugTakenError(given.get("slug")),
    "brands_slug_key": lambda given: SlugTakenError(given.get("slug")),
    "idx_products_sku": lambda given: SkuTakenError(given.get("sku")),
    "product_variants_sku_key": lambda given: SkuTakenError(given.get("sku")),
    "product_variants_option_values_key": lambda given: OptionsTakenError(
        given.get("option_values")
    ),
    "products_compare_price": _compare_price,
    "product_variants_compare_price": _compare_price,
    "products_category_id_fkey": _missing("category", "category_id"),
    "products_brand_id_fkey": _missing("brand", "brand_id"),
    "product_variants_product_id_fkey": _missing("product", "product_id"),
    "product_variants_product_not_deleted": lambda _: ProductArchivedError(),
    "product_images_product_id_fkey": _missing("product", "product_id"),
    "product_images_variant_id_fkey": _missing("variant", "variant_id"),
    "categories_parent_id_fkey": _missing("category", "parent_id"),
}
# Known by name, so that Citus may add the number of a shard to it.
failures.register({name: partial(ConstraintViolatedError, name) for name in _REFUSALS})


@contextmanager
def named(given: Given) -> Iterator[None]:
    """Raise what the database refuses as an error about one of the fields in `given`."""
    try:
        yield
    except ConstraintViolatedError as error:
        make = _REFUSALS.get(error.constraint)
        if make is None:
            raise
        raise make(given) from error
