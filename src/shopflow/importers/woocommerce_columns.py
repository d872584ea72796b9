"""The columns of WooCommerce's product CSV (its "Product CSV Import Schema")."""

from __future__ import annotations

from collections.abc import Mapping

from shopflow.importers.columns import Format

# As many attributes of a product are read.
MOST_ATTRIBUTES = 20

_ATTRIBUTES = {
    f"attribute{place}_{ours}": (f"Attribute {place} {theirs}",)
    for place in range(1, MOST_ATTRIBUTES + 1)
    for ours, theirs in (("name", "name"), ("values", "value(s)"))
}
WOOCOMMERCE = Format(
    title="product export of WooCommerce",
    names={
        "id": ("ID",),
        "type": ("Type",),
        "sku": ("SKU",),
        "title": ("Name",),
        "published": ("Published",),
        "is_featured": ("Is featured?",),
        "visibility": ("Visibility in catalog",),
        "short_description": ("Short description",),
        "description": ("Description",),
        "sale_starts": ("Date sale price starts",),
        "sale_ends": ("Date sale price ends",),
        "in_stock": ("In stock?",),
        "stock": ("Stock",),
        "backorders": ("Backorders allowed?",),
        "sale_price": ("Sale price",),
        "price": ("Regular price",),
        "categories": ("Categories",),
        "tags": ("Tags",),
        "images": ("Images",),
        "parent": ("Parent",),
        "brands": ("Brands", "Brand"),
        **_ATTRIBUTES,
    },
    required=("type", "title", "price"),
    aliases={"handle": "sku", "option1_value": "attribute1_values"},
)
# What a product is said to have ← the columns of which the file needs one for that.
FIELDS: Mapping[str, frozenset[str]] = {
    "description": frozenset({"description", "short_description"}),
    "brand": frozenset({"brands"}),
    "category": frozenset({"categories"}),
    "tags": frozenset({"tags"}),
    "attributes": frozenset({"attribute1_name"}),
    "is_active": frozenset({"published", "visibility"}),
    "is_featured": frozenset({"is_featured"}),
    "variants": frozenset({"parent"}),
    "compare_at_price": frozenset({"price"}),
    "variant_compare_at_price": frozenset({"price"}),
    "track_inventory": frozenset({"stock", "in_stock", "backorders"}),
    "images": frozenset({"images"}),
}
