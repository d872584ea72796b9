"""Shipping zones and methods (§2.6)."""
