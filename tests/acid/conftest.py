"""Programs on one database, whose transactions meet; README.md says which attack is which test."""

from tests.orders.conftest import filled

__all__ = ["filled"]
