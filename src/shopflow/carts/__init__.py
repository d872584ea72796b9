"""Shopping carts of users and guests (§2.3, §4.3)."""

from shopflow.carts.errors import CartOwnerError, NotForSaleError, Reason
from shopflow.carts.models import Cart, CartItem, MergedCart, Shortened

__all__ = [
    "Cart",
    "CartItem",
    "CartOwnerError",
    "MergedCart",
    "NotForSaleError",
    "Reason",
    "Shortened",
]
