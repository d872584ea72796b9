"""Orders (§2.4, §4.4): pricing, placing, paying, sending, taking back, cancelling, reading."""

from shopflow.orders.addresses import Address
from shopflow.orders.cancelling import Cancellation
from shopflow.orders.checkout import Checkout
from shopflow.orders.listing import OrderPage
from shopflow.orders.models import Order, PlacedOrder
from shopflow.orders.quotes import Quote, QuoteRequest
from shopflow.orders.returns import Returned, ReturnLine, ReturnRequest
from shopflow.orders.settling import RefundDue
from shopflow.orders.shipments import Parcel
from shopflow.orders.taxes import Taxation, Taxes, TaxRate
from shopflow.orders.tracking import Tracking

__all__ = [
    "Address",
    "Cancellation",
    "Checkout",
    "Order",
    "OrderPage",
    "Parcel",
    "PlacedOrder",
    "Quote",
    "QuoteRequest",
    "RefundDue",
    "ReturnLine",
    "ReturnRequest",
    "Returned",
    "TaxRate",
    "Taxation",
    "Taxes",
    "Tracking",
]
