"""The key of each table as a type of its own, so that one cannot be passed for another."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

UserId = NewType("UserId", UUID)
SessionId = NewType("SessionId", UUID)
AddressId = NewType("AddressId", UUID)
CategoryId = NewType("CategoryId", UUID)
BrandId = NewType("BrandId", UUID)
ProductId = NewType("ProductId", UUID)
VariantId = NewType("VariantId", UUID)
ImageId = NewType("ImageId", UUID)
ReviewId = NewType("ReviewId", UUID)
MovementId = NewType("MovementId", UUID)
BulkChangeId = NewType("BulkChangeId", UUID)
PriceChangeId = NewType("PriceChangeId", UUID)
CartId = NewType("CartId", UUID)
CartItemId = NewType("CartItemId", UUID)
CouponId = NewType("CouponId", UUID)
OrderId = NewType("OrderId", UUID)
OrderItemId = NewType("OrderItemId", UUID)
OrderAddressId = NewType("OrderAddressId", UUID)
ShipmentId = NewType("ShipmentId", UUID)
ReturnId = NewType("ReturnId", UUID)
OrderNoteId = NewType("OrderNoteId", UUID)
PaymentId = NewType("PaymentId", UUID)
RefundId = NewType("RefundId", UUID)
PaymentOperationId = NewType("PaymentOperationId", UUID)
ShippingZoneId = NewType("ShippingZoneId", UUID)
ShippingMethodId = NewType("ShippingMethodId", UUID)
TaxRateId = NewType("TaxRateId", UUID)
EventId = NewType("EventId", UUID)
ConsumerId = NewType("ConsumerId", UUID)
