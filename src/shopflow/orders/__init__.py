"""Orders (§2.4, §4.4): pricing, placing, paying, reading."""

from shopflow.orders.addresses import Address
from shopflow.orders.checkout import Checkout
from shopflow.orders.models import Order, PlacedOrder
from shopflow.orders.quotes import Quote, QuoteRequest
from shopflow.orders.taxes import Taxation, Taxes, TaxRate

__all__ = [
    "Address",
    "Checkout",
    "Order",
    "PlacedOrder",
    "Quote",
    "QuoteRequest",
    "TaxRate",
    "Taxation",
    "Taxes",
]
