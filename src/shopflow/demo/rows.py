"""The rows of the generated shop: one type a table, its fields named as the columns are."""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple


class User(NamedTuple):
    """A row of users."""

    id: str
    email: str
    password_hash: str
    first_name: str
    last_name: str
    role: str
    email_verified: bool
    created_at: datetime
    updated_at: datetime


class PostalAddress(NamedTuple):
    """What an address says, wherever it is kept."""

    first_name: str
    last_name: str
    address_line_1: str
    city: str
    state: str | None
    postal_code: str
    country_code: str


class UserAddress(NamedTuple):
    """A row of user_addresses."""

    id: str
    user_id: str
    address_type: str
    is_default: bool
    first_name: str
    last_name: str
    address_line_1: str
    city: str
    state: str | None
    postal_code: str
    country_code: str
    created_at: datetime
    updated_at: datetime


class Category(NamedTuple):
    """A row of categories."""

    id: str
    parent_id: str | None
    name: str
    slug: str
    sort_order: int
    created_at: datetime
    updated_at: datetime


class Brand(NamedTuple):
    """A row of brands."""

    id: str
    name: str
    slug: str
    logo_url: str
    created_at: datetime
    updated_at: datetime


class Product(NamedTuple):
    """A row of products."""

    id: str
    category_id: str
    brand_id: str
    name: str
    slug: str
    sku: str
    description: str
    price: Decimal
    compare_at_price: Decimal | None
    stock_quantity: int
    track_inventory: bool
    has_variants: bool
    attributes: str
    tags: str
    is_active: bool
    is_featured: bool
    created_at: datetime
    updated_at: datetime


class Variant(NamedTuple):
    """A row of product_variants."""

    id: str
    product_id: str
    name: str
    sku: str
    price: Decimal
    compare_at_price: Decimal | None
    stock_quantity: int
    option_values: str
    sort_order: int
    created_at: datetime
    updated_at: datetime


class Image(NamedTuple):
    """A row of product_images."""

    id: str
    product_id: str
    url: str
    alt_text: str
    sort_order: int
    is_primary: bool
    created_at: datetime


class Review(NamedTuple):
    """A row of product_reviews."""

    id: str
    product_id: str
    user_id: str
    rating: int
    title: str
    content: str
    is_approved: bool
    created_at: datetime
    updated_at: datetime


class Zone(NamedTuple):
    """A row of shipping_zones."""

    id: str
    name: str
    countries: list[str]
    priority: int
    created_at: datetime
    updated_at: datetime


class Method(NamedTuple):
    """A row of shipping_methods."""

    id: str
    zone_id: str
    name: str
    carrier: str
    price: Decimal
    estimated_days: int
    free_above: Decimal | None
    created_at: datetime
    updated_at: datetime


class Coupon(NamedTuple):
    """A row of coupons."""

    id: str
    code: str
    discount_type: str
    discount_value: Decimal
    min_order: Decimal | None
    max_discount: Decimal | None
    usage_limit: int | None
    starts_at: datetime | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


class CouponUse(NamedTuple):
    """A row of coupon_usage."""

    id: str
    coupon_id: str
    user_id: str | None
    order_id: str
    discount_amount: Decimal
    created_at: datetime


class Cart(NamedTuple):
    """A row of carts."""

    id: str
    user_id: str | None
    session_id: str | None
    created_at: datetime
    updated_at: datetime


class CartItem(NamedTuple):
    """A row of cart_items."""

    id: str
    cart_id: str
    product_id: str
    variant_id: str | None
    quantity: int
    unit_price: Decimal
    created_at: datetime
    updated_at: datetime


class Order(NamedTuple):
    """A row of orders, as it is placed."""

    id: str
    user_id: str | None
    order_number: str
    currency_code: str
    subtotal: Decimal
    tax_amount: Decimal
    shipping_amount: Decimal
    discount_amount: Decimal
    total_amount: Decimal
    customer_email: str
    coupon_code: str | None
    placed_at: datetime
    created_at: datetime
    updated_at: datetime


class Step(NamedTuple):
    """What becomes of an order: a status."""

    order_id: str
    status: str
    reason: str | None
    actor: str | None
    occurred_at: datetime


class OrderItem(NamedTuple):
    """A row of order_items."""

    id: str
    order_id: str
    product_id: str
    variant_id: str | None
    product_name: str
    variant_name: str | None
    sku: str
    quantity: int
    unit_price: Decimal
    subtotal: Decimal
    image_url: str
    created_at: datetime


class OrderAddress(NamedTuple):
    """A row of order_addresses."""

    id: str
    order_id: str
    address_type: str
    first_name: str
    last_name: str
    address_line_1: str
    city: str
    state: str | None
    postal_code: str
    country_code: str
    created_at: datetime


class Payment(NamedTuple):
    """A row of payments."""

    id: str
    order_id: str
    amount: Decimal
    captured_amount: Decimal
    status: str
    payment_method: str
    card_brand: str | None
    card_last_four: str | None
    captured_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Refund(NamedTuple):
    """A row of refunds."""

    id: str
    payment_id: str
    amount: Decimal
    status: str
    reason: str
    created_at: datetime
    updated_at: datetime


class Shipment(NamedTuple):
    """A row of order_shipments."""

    id: str
    order_id: str
    carrier: str
    tracking_number: str
    status: str
    estimated_delivery: date
    shipped_at: datetime
    delivered_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ShipmentItem(NamedTuple):
    """A row of order_shipment_items."""

    id: str
    shipment_id: str
    order_item_id: str
    quantity: int
    created_at: datetime


class Return(NamedTuple):
    """A row of order_returns."""

    id: str
    order_id: str
    reason: str
    refund_amount: Decimal
    created_at: datetime


class ReturnItem(NamedTuple):
    """A row of order_return_items."""

    id: str
    return_id: str
    order_item_id: str
    quantity: int
    restock: bool
    created_at: datetime
