"""Shipping zones and methods (§2.6)."""

from shopflow.shipping.models import (
    Method,
    MethodChanges,
    MethodTerms,
    ShippingOption,
    Zone,
    ZoneChanges,
    ZoneTerms,
)

__all__ = [
    "Method",
    "MethodChanges",
    "MethodTerms",
    "ShippingOption",
    "Zone",
    "ZoneChanges",
    "ZoneTerms",
]
