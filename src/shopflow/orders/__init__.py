"""Orders (§2.4, §4.4): placing, paying, reading."""

from shopflow.orders.addresses import Address
from shopflow.orders.checkout import Checkout
from shopflow.orders.models import Order, PlacedOrder

__all__ = ["Address", "Checkout", "Order", "PlacedOrder"]
