"""Orders (§2.4, §4.4): pricing, placing, paying, sending, taking back, cancelling, reading."""

from shopflow.orders.addresses import Address
from shopflow.orders.cancelling import Cancellation
from shopflow.orders.checkout import Checkout
from shopflow.orders.errors import (
    EmptyCartError,
    Excess,
    IdempotencyKeyTakenError,
    LineQuantityError,
    OrderStateError,
    OutOfStockError,
    PriceChange,
    PriceChangedError,
    Shortage,
)
from shopflow.orders.listing import OrderPage, OrderSummary
from shopflow.orders.models import (
    Customer,
    Order,
    OrderAddress,
    OrderItem,
    OrderNote,
    Payment,
    PlacedOrder,
    Refund,
    Return,
    ReturnItem,
    Shipment,
    ShipmentItem,
    StatusChange,
)
from shopflow.orders.quotes import Quote, QuoteLine, QuoteRequest
from shopflow.orders.returns import Returned, ReturnLine, ReturnRequest
from shopflow.orders.settling import RefundDue
from shopflow.orders.shipments import Parcel
from shopflow.orders.states import FulfillmentStatus, PaymentStatus, Status
from shopflow.orders.tax_rates import StoredTaxRate
from shopflow.orders.taxes import Sale, TableTaxes, Tax, TaxableLine, Taxation, Taxes, TaxRate
from shopflow.orders.totals import LineTotals, ShippingPrice, Totals
from shopflow.orders.tracking import Tracking
from shopflow.promotions import CouponRefusedError

__all__ = [
    "Address",
    "Cancellation",
    "Checkout",
    "CouponRefusedError",
    "Customer",
    "EmptyCartError",
    "Excess",
    "FulfillmentStatus",
    "IdempotencyKeyTakenError",
    "LineQuantityError",
    "LineTotals",
    "Order",
    "OrderAddress",
    "OrderItem",
    "OrderNote",
    "OrderPage",
    "OrderStateError",
    "OrderSummary",
    "OutOfStockError",
    "Parcel",
    "Payment",
    "PaymentStatus",
    "PlacedOrder",
    "PriceChange",
    "PriceChangedError",
    "Quote",
    "QuoteLine",
    "QuoteRequest",
    "Refund",
    "RefundDue",
    "Return",
    "ReturnItem",
    "ReturnLine",
    "ReturnRequest",
    "Returned",
    "Sale",
    "Shipment",
    "ShipmentItem",
    "ShippingPrice",
    "Shortage",
    "Status",
    "StatusChange",
    "StoredTaxRate",
    "TableTaxes",
    "Tax",
    "TaxRate",
    "TaxableLine",
    "Taxation",
    "Taxes",
    "Totals",
    "Tracking",
]
