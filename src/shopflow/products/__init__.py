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
from shopflow.products.search.embedding import Embedding, SemanticSearchError
from shopflow.products.search.language import Rewritten
from shopflow.products.search.models import (
    Found,
    SearchLanguage,
    SuggestedBrand,
    SuggestedCategory,
    SuggestedProduct,
    Suggestions,
    Synonym,
)
from shopflow.products.sorting import AnySort, Sort
from shopflow.products.stock_changing import GivenReason
from shopflow.products.stock_models import LowStock, Movement, Reason, StockChange, StockMismatch

__all__ = [
    "AdminProduct",
    "AdminVariant",
    "AlreadyReviewedError",
    "AnySort",
    "Brand",
    "BrandChanges",
    "Category",
    "CategoryChanges",
    "CategoryCycleError",
    "CategoryHasChildrenError",
    "Embedding",
    "Found",
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
    "Rewritten",
    "SearchLanguage",
    "SemanticSearchError",
    "SkuTakenError",
    "SlugTakenError",
    "Sort",
    "StockChange",
    "StockMismatch",
    "SuggestedBrand",
    "SuggestedCategory",
    "SuggestedProduct",
    "Suggestions",
    "Synonym",
    "VariantChanges",
    "VersionConflictError",
]
