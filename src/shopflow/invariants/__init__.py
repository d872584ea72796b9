"""The rules of a shop, checked against what its tables hold, whoever wrote it."""

from shopflow.invariants.checking import Check, Result, check

__all__ = ["Check", "Result", "check"]
