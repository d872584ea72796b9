"""Products and what belongs to them (§2.2): reading (§4.1, §4.2), writing, stock and reviews."""

from shopflow.cursors import Page
from shopflow.products.admin_models import AdminProduct, AdminVariant, Brand, Category
from shopflow.products.errors import (
    AlreadyReviewedError,
    CategoryCycleError,
    CategoryHasChildrenError,
    InsufficientStockError,
    OptionsTakenError,
    ProductArchivedError,
    ReviewChangedError,
    SkuTakenError,
    SlugTakenError,
    VersionConflictError,
)
from shopflow.products.filters import ProductFilters
from shopflow.products.inputs import (
    BrandChanges,
    CategoryChanges,
    ImageChanges,
    NewBrand,
    NewCategory,
    NewImage,
    NewProduct,
    NewReview,
    NewVariant,
    ProductChanges,
    ReviewChanges,
    VariantChanges,
)
from shopflow.products.models import (
    Product,
    ProductBrand,
    ProductCategory,
    ProductCount,
    ProductImage,
    ProductListing,
    ProductPage,
    ProductVariant,
)
from shopflow.products.review_models import Moderation, OwnReview, QueuedReview, Review
from shopflow.products.review_reading import ReviewSort
from shopflow.products.sorting import Sort
from shopflow.products.stock_changing import GivenReason
from shopflow.products.stock_models import LowStock, Movement, Reason, StockChange, StockMismatch

__all__ = [
    "AdminProduct",
    "AdminVariant",
    "AlreadyReviewedError",
    "Brand",
    "BrandChanges",
    "Category",
    "CategoryChanges",
    "CategoryCycleError",
    "CategoryHasChildrenError",
    "GivenReason",
    "ImageChanges",
    "InsufficientStockError",
    "LowStock",
    "Moderation",
    "Movement",
    "NewBrand",
    "NewCategory",
    "NewImage",
    "NewProduct",
    "NewReview",
    "NewVariant",
    "OptionsTakenError",
    "OwnReview",
    "Page",
    "Product",
    "ProductArchivedError",
    "ProductBrand",
    "ProductCategory",
    "ProductChanges",
    "ProductCount",
    "ProductFilters",
    "ProductImage",
    "ProductListing",
    "ProductPage",
    "ProductVariant",
    "QueuedReview",
    "Reason",
    "Review",
    "ReviewChangedError",
    "ReviewChanges",
    "ReviewSort",
    "SkuTakenError",
    "SlugTakenError",
    "Sort",
    "StockChange",
    "StockMismatch",
    "VariantChanges",
    "VersionConflictError",
]
