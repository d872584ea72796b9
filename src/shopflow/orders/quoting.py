"""What carts come to at the prices of now: any number of them in one round trip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from psycopg import AsyncConnection

from shopflow.addresses import check_country_code
from shopflow.errors import InvalidInputError, NotFoundError, ShopflowError
from shopflow.ids import CartId, CategoryId, ProductId, ShippingMethodId, UserId, VariantId
from shopflow.money import rounded
from shopflow.orders.errors import EmptyCartError, PriceChange, Shortage
from shopflow.orders.quotes import Quote, QuoteLine, QuoteRequest
from shopflow.orders.reading import QUERIES
from shopflow.orders.requests import check_id
from shopflow.orders.taxes import Sale, TableTaxes, TaxableLine, Taxation, Taxes, TaxRate
from shopflow.orders.totals import Charges, ShippingPrice, Totals, charges_of, totals_of
from shopflow.promotions.discounts import Discount, Line, discount_of
from shopflow.promotions.errors import CouponRefusedError
from shopflow.promotions.models import Coupon
from shopflow.promotions.rules import Buyer, refusal
from shopflow.shipping.models import ShippingOption
from shopflow.text import check_text

__all__ = ["Quote", "QuoteRequest", "check_coupon", "quote", "quote_all", "quote_shipping"]

LONGEST_STATE = 100
Categories = Mapping[CategoryId, tuple[CategoryId, ...]]


class _MethodsRequest(QuoteRequest, frozen=True, kw_only=True):
    """Asks for the methods offered as well."""

    every_method: bool = True


class _Line(msgspec.Struct, frozen=True):
    product_id: ProductId
    variant_id: VariantId | None
    category_id: CategoryId | None
    sku: str
    product_name: str
    variant_name: str | None
    quantity: int
    unit_price: Decimal
    cart_price: Decimal
    available: int | None


class _Method(msgspec.Struct, frozen=True):
    id: ShippingMethodId
    name: str
    carrier: str
    estimated_days: int | None
    price: Decimal
    free_above: Decimal | None


class _Cart(msgspec.Struct, frozen=True):
    user_id: UserId | None
    user_email: str | None
    coupon: Coupon | None
    coupon_uses: int
    has_ordered: bool
    shipping: ShippingPrice | None
    methods: tuple[_Method, ...]
    lines: tuple[_Line, ...]


class _Read(msgspec.Struct, frozen=True):
    now: datetime
    parents: dict[CategoryId, CategoryId]
    tax_rates: tuple[TaxRate, ...]
    carts: tuple[_Cart | None, ...]


class _Draft(msgspec.Struct, frozen=True):
    """A cart priced but for the tax; `sale` is None without an address."""

    request: QuoteRequest
    cart: _Cart
    discount: Discount | None
    charges: Charges
    sale: Sale | None


async def quote(connection: AsyncConnection[Any], request: QuoteRequest, taxes: Taxes) -> Quote:
    """Price one cart; see `quote_all`.

    Raises:
        ShopflowError: whatever `quote_all` answers with in its place.
    """
    (answer,) = await quote_all(connection, [request], taxes)
    if isinstance(answer, ShopflowError):
        raise answer
    return answer


async def check_coupon(connection: AsyncConnection[Any], cart_id: CartId) -> None:
    """Raise whatever keeps this cart, with the coupon that is on it, from being priced."""
    await quote(connection, QuoteRequest(cart_id=cart_id), TableTaxes())


async def quote_all(
    connection: AsyncConnection[Any], requests: Sequence[QuoteRequest], taxes: Taxes
) -> list[Quote | ShopflowError]:
    """Price these carts in one round trip, and answer each request in their order.

    Nothing is locked or written. The steps are those of `totals`. A request that is refused gets
    its error instead of a quote, and the others are not touched by it:

    - InvalidInputError for an id, a country or a state that cannot be, a method without country,
      and a total that the database could not hold;
    - NotFoundError for a cart, and for a shipping method that is not offered in the zone of the
      address;
    - EmptyCartError;
    - CouponRefusedError when the coupon on the cart does not apply now;
    - what `taxes` answered with.
    """
    drafts = await _drafts(connection, requests)
    sales = [each.sale for each in drafts if isinstance(each, _Draft) and each.sale is not None]
    taxations = await taxes.taxes_of(sales) if sales else ()
    if len(taxations) != len(sales):
        raise ValueError(f"taxes_of answered {len(taxations)} of {len(sales)} sales")
    rest = iter(taxations)
    return [_answer(each, rest) for each in drafts]


async def quote_shipping(
    connection: AsyncConnection[Any], cart_id: CartId, country_code: str, state: str | None
) -> list[ShippingOption]:
    """Return the methods offered for this cart and address, the cheapest for it first.

    Those are the active ones of the zone that the address is in, see `shipping_zone_of` in the
    database; none where nothing is shipped to. One round trip; prices are those that `quote_all`
    gives with the method, `free_above` and the coupon on the cart included.

    Raises:
        ShopflowError: as `quote`.
    """
    request = _MethodsRequest(cart_id=cart_id, country_code=country_code, state=state)
    (draft,) = await _drafts(connection, [request])
    if isinstance(draft, ShopflowError):
        raise draft
    options = [_option(draft, method) for method in draft.cart.methods]
    return sorted(options, key=lambda option: (option.price, option.list_price, option.method_id))


def _option(draft: _Draft, method: _Method) -> ShippingOption:
    shipping = ShippingPrice(method.price, method.free_above)
    return ShippingOption(
        method_id=method.id,
        name=method.name,
        carrier=method.carrier,
        estimated_days=method.estimated_days,
        price=charges_of(draft.charges.subtotals, draft.discount, shipping).shipping_amount,
        list_price=method.price,
    )


async def _drafts(
    connection: AsyncConnection[Any], requests: Sequence[QuoteRequest]
) -> list[_Draft | ShopflowError]:
    refused = [_refusal_of(request) for request in requests]
    good = [request for request, error in zip(requests, refused, strict=True) if error is None]
    if not good:
        return [error for error in refused if error is not None]
    read = await QUERIES["read_quotes"].document(
        connection, _Read, requests=msgspec.json.encode(good).decode()
    )
    if read is None:
        raise ValueError("read_quotes returned nothing")
    paths = _paths(read)
    pairs = zip(good, read.carts, strict=True)
    drafted = (_draft_or_refusal(request, cart, read, paths) for request, cart in pairs)
    return [next(drafted) if error is None else error for error in refused]


def _refusal_of(request: QuoteRequest) -> ShopflowError | None:
    """Find what would refuse the statement, and with it everybody."""
    country = request.country_code
    if country is None and request.shipping_method_id is not None:
        return InvalidInputError("country_code", None, "is needed for a shipping method")
    try:
        check_id("cart_id", request.cart_id)
        check_id("shipping_method_id", request.shipping_method_id)
        if country is not None:
            check_country_code("country_code", country)
        if request.state is not None:
            check_text("state", request.state, LONGEST_STATE, shortest=0)
    except InvalidInputError as error:
        return error
    return None


def _paths(read: _Read) -> Categories:
    """Return for each category in use the way up from it."""
    found: dict[CategoryId, tuple[CategoryId, ...]] = {}

    def path(category_id: CategoryId | None) -> tuple[CategoryId, ...]:
        if category_id is None:
            return ()
        if category_id not in found:
            found[category_id] = (category_id, *path(read.parents.get(category_id)))
        return found[category_id]

    for cart in read.carts:
        for line in cart.lines if cart else ():
            path(line.category_id)
    return found


def _draft_or_refusal(
    request: QuoteRequest, cart: _Cart | None, read: _Read, paths: Categories
) -> _Draft | ShopflowError:
    try:
        return _draft(request, cart, read, paths)
    except ShopflowError as error:
        return error


def _draft(request: QuoteRequest, cart: _Cart | None, read: _Read, paths: Categories) -> _Draft:
    if cart is None:
        raise NotFoundError("cart", request.cart_id)
    if not cart.lines:
        raise EmptyCartError
    method = request.shipping_method_id
    if method is not None and cart.shipping is None:
        raise NotFoundError("shipping method for this address", method)
    subtotals = [rounded(line.quantity * line.unit_price) for line in cart.lines]
    ways = [paths[line.category_id] if line.category_id else () for line in cart.lines]
    discount = _discount(cart, subtotals, ways, read.now)
    charges = charges_of(subtotals, discount, cart.shipping)
    return _Draft(
        request, cart, discount, charges, _sale(request, cart, charges, ways, read.tax_rates)
    )


def _discount(
    cart: _Cart,
    subtotals: Iterable[Decimal],
    ways: Iterable[tuple[CategoryId, ...]],
    now: datetime,
) -> Discount | None:
    coupon = cart.coupon
    if coupon is None:
        return None
    facts = zip(cart.lines, ways, subtotals, strict=True)
    lines = [Line(line.product_id, way, subtotal) for line, way, subtotal in facts]
    buyer = Buyer(cart.user_id is not None, cart.coupon_uses, cart.has_ordered)
    reason = refusal(coupon, lines, buyer, now)
    if reason is not None:
        raise CouponRefusedError(reason, coupon.code)
    return discount_of(coupon, lines)


def _sale(
    request: QuoteRequest,
    cart: _Cart,
    charges: Charges,
    ways: Iterable[tuple[CategoryId, ...]],
    rates: Iterable[TaxRate],
) -> Sale | None:
    country, state = request.country_code, request.state
    if country is None:
        return None
    facts = zip(cart.lines, ways, charges.nets, strict=True)
    return Sale(
        country_code=country,
        state=state,
        lines=tuple(
            TaxableLine(line.product_id, line.variant_id, line.sku, way, line.quantity, net)
            for line, way, net in facts
        ),
        shipping_amount=charges.shipping_amount,
        # Those of every address that was asked about have been read.
        rates=tuple(
            rate for rate in rates if rate.country_code == country and rate.state in {None, state}
        ),
    )


def _answer(
    draft: _Draft | ShopflowError, taxations: Iterator[Taxation | ShopflowError]
) -> Quote | ShopflowError:
    if isinstance(draft, ShopflowError):
        return draft
    # One for each sale, in their order.
    taxation = None if draft.sale is None else next(taxations)
    if isinstance(taxation, ShopflowError):
        return taxation
    try:
        return _quote(draft.request, draft.cart, totals_of(draft.charges, taxation))
    except InvalidInputError as error:
        return error


def _quote(request: QuoteRequest, cart: _Cart, totals: Totals) -> Quote:
    return Quote(
        cart_id=request.cart_id,
        user_id=cart.user_id,
        user_email=cart.user_email,
        coupon=cart.coupon,
        coupon_id=cart.coupon.id if cart.coupon else None,
        coupon_code=cart.coupon.code if cart.coupon else None,
        lines=tuple(
            QuoteLine(
                product_id=line.product_id,
                variant_id=line.variant_id,
                sku=line.sku,
                product_name=line.product_name,
                variant_name=line.variant_name,
                quantity=line.quantity,
                unit_price=line.unit_price,
                cart_price=line.cart_price,
                available=line.available,
                subtotal=amounts.subtotal,
                discount_amount=amounts.discount_amount,
                tax_amount=amounts.tax_amount,
                tax_included=amounts.tax_included,
            )
            for line, amounts in zip(cart.lines, totals.lines, strict=True)
        ),
        shipping=cart.shipping,
        totals=totals,
        price_changes=tuple(
            PriceChange(
                line.product_id, line.variant_id, line.sku, line.cart_price, line.unit_price
            )
            for line in cart.lines
            if line.cart_price != line.unit_price
        ),
        shortages=tuple(
            Shortage(line.product_id, line.variant_id, line.sku, line.quantity, line.available)
            for line in cart.lines
            if line.available is not None and line.available < line.quantity
        ),
    )
