"""Products and what belongs to them (§2.2): listings (§4.1) and the product page (§4.2)."""

from shopflow.products.listing import ProductFilters, Sort
from shopflow.products.models import Product, ProductListing

__all__ = ["Product", "ProductFilters", "ProductListing", "Sort"]
