"""Products and what belongs to them (§2.2): reading (§4.1, §4.2), writing, stock and reviews."""

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
from shopflow.products.listing import ProductFilters, Sort
from shopflow.products.models import Product, ProductListing
from shopflow.products.review_reading import ReviewSort

__all__ = [
    "BrandChanges",
    "CategoryChanges",
    "ImageChanges",
    "NewBrand",
    "NewCategory",
    "NewImage",
    "NewProduct",
    "NewReview",
    "NewVariant",
    "Product",
    "ProductChanges",
    "ProductFilters",
    "ProductListing",
    "ReviewChanges",
    "ReviewSort",
    "Sort",
    "VariantChanges",
]
