"""Orders (§2.4, §4.4): placing, paying, sending, taking back, cancelling, reading."""

from shopflow.orders.addresses import Address
from shopflow.orders.cancelling import Cancellation
from shopflow.orders.checkout import Checkout
from shopflow.orders.listing import OrderPage
from shopflow.orders.models import Order, PlacedOrder
from shopflow.orders.returns import Returned, ReturnLine, ReturnRequest
from shopflow.orders.shipments import Parcel
from shopflow.orders.tracking import Tracking

__all__ = [
    "Address",
    "Cancellation",
    "Checkout",
    "Order",
    "OrderPage",
    "Parcel",
    "PlacedOrder",
    "ReturnLine",
    "ReturnRequest",
    "Returned",
    "Tracking",
]
