"""Coupons and their use (§2.5)."""
