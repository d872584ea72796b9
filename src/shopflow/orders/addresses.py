"""The addresses that an order is placed with."""

from shopflow.addresses import Address, check_address

__all__ = ["Address", "check_address"]
