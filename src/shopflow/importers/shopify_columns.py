"""The columns of Shopify's product CSV, under the names that its versions gave them."""

from __future__ import annotations

from collections.abc import Mapping

from shopflow.importers.columns import Format

SHOPIFY = Format(
    title="product export of Shopify",
    names={
        "handle": ("Handle", "URL handle"),
        "title": ("Title",),
        "description": ("Body (HTML)", "Body HTML", "Description"),
        "vendor": ("Vendor",),
        "type": ("Type", "Custom Product Type"),
        "category": ("Product Category", "Standard Product Type", "Standardized Product Type"),
        "tags": ("Tags",),
        "published": ("Published", "Published on online store"),
        "status": ("Status",),
        "option1_name": ("Option1 Name",),
        "option1_value": ("Option1 Value",),
        "option2_name": ("Option2 Name",),
        "option2_value": ("Option2 Value",),
        "option3_name": ("Option3 Name",),
        "option3_value": ("Option3 Value",),
        "sku": ("Variant SKU", "SKU"),
        "tracker": ("Variant Inventory Tracker", "Inventory tracker"),
        "quantity": ("Variant Inventory Qty", "Inventory quantity"),
        "policy": ("Variant Inventory Policy", "Continue selling when out of stock"),
        "price": ("Variant Price", "Price"),
        "compare_at_price": ("Variant Compare At Price", "Compare-at price"),
        "image_url": ("Image Src", "Product image URL"),
        "image_position": ("Image Position",),
        "image_alt": ("Image Alt Text",),
        "variant_image": ("Variant Image", "Variant image URL"),
        "gift_card": ("Gift Card",),
    },
    required=("handle", "title", "price"),
)
# What a product is said to have ← the columns of which the file needs one for that.
FIELDS: Mapping[str, frozenset[str]] = {
    "description": frozenset({"description"}),
    "brand": frozenset({"vendor"}),
    "category": frozenset({"type", "category"}),
    "tags": frozenset({"tags"}),
    "is_active": frozenset({"published", "status"}),
    "variants": frozenset({"option1_value"}),
    "compare_at_price": frozenset({"compare_at_price"}),
    "variant_compare_at_price": frozenset({"compare_at_price"}),
    "track_inventory": frozenset({"tracker", "gift_card"}),
    "images": frozenset({"image_url"}),
}
