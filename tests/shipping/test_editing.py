"""Making, changing and listing zones and methods."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import ShippingMethodId, ShippingZoneId
from shopflow.shipping.models import (
    Method,
    MethodChanges,
    MethodTerms,
    Zone,
    ZoneChanges,
    ZoneTerms,
)

ZONE: dict[str, Any] = {
    "name": "Bavaria",
    "countries": ("DE", "AT"),
    "states": ("Bayern", "Tirol"),
    "priority": 3,
    "is_active": False,
}
METHOD: dict[str, Any] = {
    "name": "Express",
    "carrier": "DHL",
    "price": Decimal("9.90"),
    "estimated_days": 1,
    "free_above": Decimal("100.00"),
    "is_active": False,
}
PLAIN_ZONE = ZoneTerms(name="Germany", countries=("DE",))
PLAIN_METHOD = MethodTerms(name="Standard", carrier="Post", price=Decimal("4.90"))


async def test_what_is_made_is_what_is_listed_by_precedence(shop: Shop) -> None:
    plain = await shop.shipping.create_zone(PLAIN_ZONE)
    bavaria = await shop.shipping.create_zone(ZoneTerms(**ZONE))
    dear = await shop.shipping.create_method(bavaria, MethodTerms(**METHOD))
    cheap = await shop.shipping.create_method(bavaria, PLAIN_METHOD)
    cheapest = Method(
        id=cheap,
        name="Standard",
        carrier="Post",
        price=Decimal("4.90"),
        estimated_days=None,
        free_above=None,
        is_active=True,
    )
    assert await shop.shipping.zones() == [
        Zone(id=bavaria, methods=(cheapest, Method(id=dear, **METHOD)), **ZONE),
        Zone(
            id=plain,
            name="Germany",
            countries=("DE",),
            states=(),
            priority=0,
            is_active=True,
            methods=(),
        ),
    ]


async def test_each_term_is_changed_alone(shop: Shop) -> None:
    zone_id = await shop.shipping.create_zone(PLAIN_ZONE)
    method_id = await shop.shipping.create_method(zone_id, PLAIN_METHOD)
    for field, value in ZONE.items():
        await shop.shipping.update_zone(zone_id, ZoneChanges(**{field: value}))
    for field, value in METHOD.items():
        await shop.shipping.update_method(method_id, MethodChanges(**{field: value}))
    await shop.shipping.update_zone(zone_id, ZoneChanges())
    await shop.shipping.update_method(method_id, MethodChanges())
    method = Method(id=method_id, **METHOD)
    assert await shop.shipping.zones() == [Zone(id=zone_id, methods=(method,), **ZONE)]
    await shop.shipping.update_method(method_id, MethodChanges(free_above=None))
    ((method,),) = [zone.methods for zone in await shop.shipping.zones()]
    assert method.free_above is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", ""),
        ("name", "x" * 101),
        ("countries", ()),
        ("countries", ("de",)),
        ("countries", ("DE,FR",)),
        ("states", ("x\0",)),
        ("priority", 2**31),
    ],
)
async def test_a_zone_that_cannot_be_is_refused_by_name(shop: Shop, field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError) as refused:
        await shop.shipping.create_zone(ZoneTerms(**(ZONE | {field: value})))
    assert refused.value.field == field
    zone_id = await shop.shipping.create_zone(ZoneTerms(**ZONE))
    with pytest.raises(InvalidInputError) as refused:
        await shop.shipping.update_zone(zone_id, ZoneChanges(**{field: value}))
    assert refused.value.field == field
    assert await shop.shipping.zones() == [Zone(id=zone_id, methods=(), **ZONE)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("carrier", "x" * 101),
        ("price", Decimal("-0.01")),
        ("price", Decimal("NaN")),
        ("price", Decimal("4.999")),
        ("free_above", Decimal("1e11")),
        ("estimated_days", -1),
    ],
)
async def test_a_method_that_cannot_be_is_refused_by_name(
    shop: Shop, field: str, value: Any
) -> None:
    zone_id = await shop.shipping.create_zone(PLAIN_ZONE)
    with pytest.raises(InvalidInputError) as refused:
        await shop.shipping.create_method(zone_id, MethodTerms(**(METHOD | {field: value})))
    assert refused.value.field == field
    method_id = await shop.shipping.create_method(zone_id, MethodTerms(**METHOD))
    with pytest.raises(InvalidInputError) as refused:
        await shop.shipping.update_method(method_id, MethodChanges(**{field: value}))
    assert refused.value.field == field
    ((method,),) = [zone.methods for zone in await shop.shipping.zones()]
    assert method == Method(id=method_id, **METHOD)


async def test_a_zone_goes_with_its_methods(shop: Shop) -> None:
    gone, kept = [await shop.shipping.create_zone(PLAIN_ZONE) for _ in range(2)]
    method_id = await shop.shipping.create_method(gone, PLAIN_METHOD)
    other_id = await shop.shipping.create_method(kept, PLAIN_METHOD)
    await shop.shipping.delete_zone(gone)
    with pytest.raises(NotFoundError, match="no such shipping method"):
        await shop.shipping.delete_method(method_id)
    await shop.shipping.delete_method(other_id)
    assert [(zone.id, zone.methods) for zone in await shop.shipping.zones()] == [(kept, ())]


async def test_what_is_not_there_is_not_found(shop: Shop) -> None:
    zone_id, method_id = ShippingZoneId(uuid4()), ShippingMethodId(uuid4())
    with pytest.raises(NotFoundError, match="no such shipping zone"):
        await shop.shipping.create_method(zone_id, PLAIN_METHOD)
    for zone_changes in (ZoneChanges(), ZoneChanges(priority=1)):
        with pytest.raises(NotFoundError, match="no such shipping zone"):
            await shop.shipping.update_zone(zone_id, zone_changes)
    for changes in (MethodChanges(), MethodChanges(estimated_days=1)):
        with pytest.raises(NotFoundError, match="no such shipping method"):
            await shop.shipping.update_method(method_id, changes)
    with pytest.raises(NotFoundError, match="no such shipping zone"):
        await shop.shipping.delete_zone(zone_id)
