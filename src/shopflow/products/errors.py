"""What writing the catalogue, its stock and its reviews refuses."""

from __future__ import annotations

from shopflow.errors import ShopflowError
from shopflow.ids import CategoryId, ProductId, ReviewId, UserId, VariantId


class VersionConflictError(ShopflowError):
    """Somebody else has changed it since it was read; nothing was changed.

    Attributes:
        kind: what was to be changed, such as `product`.
        key: its id.
        expected: the version that was read.
        current: the version that it has now.
    """

    def __init__(self, kind: str, key: object, expected: int, current: int) -> None:
        super().__init__(
            f"{kind} {key} has version {current} by now, not {expected}: somebody else has changed"
            " it; read it again"
        )
        self.kind = kind
        self.key = key
        self.expected = expected
        self.current = current


class SlugTakenError(ShopflowError):
    """Another one of its kind has this slug; nothing was changed.

    Attributes:
        slug: the slug, in the case that was given.
    """

    def __init__(self, slug: object) -> None:
        super().__init__(f"slug: is taken (got {slug!r})")
        self.slug = slug


class SkuTakenError(ShopflowError):
    """Another product or active variant has this SKU; nothing was changed.

    Attributes:
        sku: the SKU, in the case that was given; None for the one that a variant had already.
    """

    def __init__(self, sku: object) -> None:
        super().__init__("sku: is taken" + (f" (got {sku!r})" if sku is not None else ""))
        self.sku = sku


class OptionsTakenError(ShopflowError):
    """Another active variant of the product has these option values; nothing was changed.

    Attributes:
        option_values: the values; None for those that a variant had already.
    """

    def __init__(self, option_values: object) -> None:
        got = f" (got {option_values!r})" if option_values is not None else ""
        super().__init__(f"option_values: another active variant has them{got}")
        self.option_values = option_values


class ProductArchivedError(ShopflowError):
    """The product is archived, so its variants stay inactive: restore it first."""


class CategoryCycleError(ShopflowError):
    """A category cannot be below itself; nothing was changed.

    Attributes:
        category_id: the category.
        parent_id: the one at or below it that it was to be put under.
    """

    def __init__(self, category_id: CategoryId, parent_id: CategoryId | None) -> None:
        super().__init__(f"category {category_id} cannot be put under {parent_id}, which is in it")
        self.category_id = category_id
        self.parent_id = parent_id


class CategoryHasChildrenError(ShopflowError):
    """The category has others below it: move or delete them first.

    Attributes:
        category_id: the category.
    """

    def __init__(self, category_id: CategoryId) -> None:
        super().__init__(f"category {category_id} has others below it: move or delete them first")
        self.category_id = category_id


class InsufficientStockError(ShopflowError):
    """There is less in stock than was to be taken away; nothing was changed.

    Attributes:
        product_id: the product.
        variant_id: the variant whose stock it is, None for a product without variants.
        change: what was to be added, so below zero.
        available: what is in stock.
    """

    def __init__(
        self, product_id: ProductId, variant_id: VariantId | None, change: int, available: int
    ) -> None:
        what = f"variant {variant_id} of product" if variant_id else "product"
        super().__init__(f"change: {what} {product_id} has {available} in stock (got {change})")
        self.product_id = product_id
        self.variant_id = variant_id
        self.change = change
        self.available = available


class AlreadyReviewedError(ShopflowError):
    """This user has reviewed the product: the review can be edited.

    Attributes:
        product_id: the product.
        user_id: the author.
    """

    def __init__(self, product_id: ProductId, user_id: UserId) -> None:
        super().__init__(f"user {user_id} has reviewed product {product_id}: edit that review")
        self.product_id = product_id
        self.user_id = user_id


class ReviewChangedError(ShopflowError):
    """The review has changed since it was read: read it again before deciding on it.

    Attributes:
        review_id: the review.
    """

    def __init__(self, review_id: ReviewId) -> None:
        super().__init__(f"review {review_id} has changed since it was read: read it again")
        self.review_id = review_id
