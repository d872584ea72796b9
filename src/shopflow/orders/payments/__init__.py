"""Payments and refunds of orders, through gateways (§2.4)."""

from shopflow.orders.payments.gateway import (
    Declined,
    Gateway,
    GatewayEvent,
    Succeeded,
    Unknown,
)
from shopflow.orders.payments.models import Outcome

__all__ = ["Declined", "Gateway", "GatewayEvent", "Outcome", "Succeeded", "Unknown"]
