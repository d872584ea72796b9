"""What zones and methods of shipping look like to Python (§2.6)."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from msgspec import UNSET, UnsetType

from shopflow.ids import ShippingMethodId, ShippingZoneId


class ZoneTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a zone is made with.

    `countries` are ISO 3166-1 alpha-2 codes, at least one; no `states` means all of each. Of the
    zones that contain an address the highest `priority` is taken, of equal ones one that names
    states, then the oldest.
    """

    name: str
    countries: tuple[str, ...]
    states: tuple[str, ...] = ()
    priority: int = 0
    is_active: bool = True


class ZoneChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be another in a zone; what is not given stays."""

    name: str | UnsetType = UNSET
    countries: tuple[str, ...] | UnsetType = UNSET
    states: tuple[str, ...] | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class MethodTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a method is made with.

    `estimated_days` from shipment to delivery, None when not known. `free_above` is the subtotal
    after the discount from which it costs nothing, None for never.
    """

    name: str
    carrier: str
    price: Decimal
    estimated_days: int | None = None
    free_above: Decimal | None = None
    is_active: bool = True


class MethodChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be another in a method; what is not given stays."""

    name: str | UnsetType = UNSET
    carrier: str | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    estimated_days: int | UnsetType | None = UNSET
    free_above: Decimal | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """A way to ship within a zone; see `MethodTerms`."""

    id: ShippingMethodId
    name: str
    carrier: str
    price: Decimal
    estimated_days: int | None
    free_above: Decimal | None
    is_active: bool


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """A region with its methods, the cheapest first; see `ZoneTerms`."""

    id: ShippingZoneId
    name: str
    countries: tuple[str, ...]
    states: tuple[str, ...]
    priority: int
    is_active: bool
    methods: tuple[Method, ...]


class ShippingOption(msgspec.Struct, frozen=True, kw_only=True):
    """A method that is offered for a cart and an address.

    `price` is what this cart is charged, before tax that is added; `list_price` is the method's.
    """

    method_id: ShippingMethodId
    name: str
    carrier: str
    estimated_days: int | None
    price: Decimal
    list_price: Decimal
