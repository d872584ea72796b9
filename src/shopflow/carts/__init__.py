"""Shopping carts of users and guests (§2.3, §4.3)."""

from shopflow.carts.models import Cart, CartItem

__all__ = ["Cart", "CartItem"]
