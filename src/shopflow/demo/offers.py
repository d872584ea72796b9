"""Shipping zones with their methods, and coupons."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from shopflow.demo.chance import DAY_MS, NOW_MS, chance, key, moment
from shopflow.demo.rows import Coupon, Method, Zone
from shopflow.demo.tree import OPENED_MS

# Name, countries, what standard and express cost, their days, the subtotal that ships free.
ZONES = (
    ("Domestic", ["US"], ("4.95", 4), ("12.95", 1), "75.00"),
    ("Europe", ["DE", "FR", "ES", "DK", "IT", "NL"], ("9.90", 7), ("24.90", 3), "150.00"),
    ("Canada", ["CA"], ("8.95", 6), ("19.95", 3), "120.00"),
    ("Asia and Pacific", ["JP", "AU", "NZ", "SG"], ("14.90", 10), ("34.90", 4), None),
)
# Code, type, value, smallest order, most it takes off; from and until in days from now.
COUPONS = (
    ("WELCOME10", "percentage", "10", None, "50", None, None),
    ("SAVE15", "percentage", "15", "60", "80", -400, None),
    ("TAKE5", "fixed_amount", "5", "25", None, None, None),
    ("FREESHIP", "free_shipping", "0", "20", None, None, None),
    ("WINTER20", "percentage", "20", "100", "120", -30, 60),
    ("SUMMER25", "percentage", "25", "100", "150", -220, -120),
    ("SPRING26", "fixed_amount", "10", "50", None, 60, 150),
)


class Offers(NamedTuple):
    """What the shop offers; `methods` by country are standard and express."""

    zones: list[Zone]
    methods: list[Method]
    coupons: list[Coupon]

    def methods_to(self, country: str) -> Sequence[Method]:
        """Return the methods that ship to a country."""
        zone = next(zone for zone in self.zones if country in zone.countries)
        return [method for method in self.methods if method.zone_id == zone.id]


def offers(seed: int, orders: int) -> Offers:
    """Return the zones, methods and coupons of a shop that has had so many orders."""
    random = chance(seed, "offers")
    opened = moment(OPENED_MS)
    zones, methods = [], []
    for priority, (name, countries, standard, express, free_above) in enumerate(ZONES):
        zone = Zone(key(random, OPENED_MS), name, countries, priority, opened, opened)
        zones.append(zone)
        for title, carrier, (price, days), free in (
            ("Standard", "UPS", standard, free_above),
            ("Express", "DHL", express, None),
        ):
            methods.append(
                Method(
                    key(random, OPENED_MS),
                    zone.id,
                    title,
                    carrier,
                    Decimal(price),
                    days,
                    Decimal(free) if free else None,
                    opened,
                    opened,
                )
            )
    coupons = [
        Coupon(
            id=key(random, OPENED_MS),
            code=code,
            discount_type=discount_type,
            discount_value=Decimal(value),
            min_order=Decimal(smallest) if smallest else None,
            max_discount=Decimal(most) if most else None,
            # Limited, but never so that the orders would not fit.
            usage_limit=orders + 100 if code == "SAVE15" else None,
            starts_at=_day(first),
            expires_at=_day(last),
            created_at=opened,
            updated_at=opened,
        )
        for code, discount_type, value, smallest, most, first, last in COUPONS
    ]
    return Offers(zones, methods, coupons)


def _day(days: int | None) -> datetime | None:
    return None if days is None else moment(NOW_MS + days * DAY_MS)
