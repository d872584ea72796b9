"""Where a command finds what a shop has in Python, its payment gateways and event consumers."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Annotated

import cyclopts

from shopflow.errors import ConfigurationError
from shopflow.events.worker import Worker
from shopflow.orders.payments.gateway import Gateways

Place = Annotated[str | None, cyclopts.Parameter(env_var="SHOPFLOW_GATEWAYS")]
ConsumersPlace = Annotated[str | None, cyclopts.Parameter(env_var="SHOPFLOW_CONSUMERS")]


def load(place: str) -> Gateways:
    """Return the gateways at `package.module:name`, calling it when it is a function.

    Raises:
        ConfigurationError: when there is no such thing, or it is no mapping.
    """
    found = _imported("gateways", place)
    made = found() if callable(found) else found
    if not isinstance(made, Mapping):
        raise ConfigurationError(f"gateways: {place} is a {type(made).__name__}, not a mapping")
    return made


def load_consumers(place: str) -> Callable[[Worker], object]:
    """Return the function at `package.module:name`, which is called with the worker to add to.

    Raises:
        ConfigurationError: when there is no such thing, or it is no function.
    """
    found = _imported("consumers", place)
    if not callable(found):
        raise ConfigurationError(f"consumers: {place} is a {type(found).__name__}, not a function")
    return found


def _imported(what: str, place: str) -> object:
    """Import what a place names; the module may be in the working directory, as `python -m`."""
    module, _, name = place.partition(":")
    if not module or not name:
        raise ConfigurationError(f"{what} must be package.module:name, not {place!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"{what}: {place} cannot be imported: {error}") from error
