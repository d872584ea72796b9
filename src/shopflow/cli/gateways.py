"""Where a command finds the shop's payment gateways: a Python name, imported."""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated

import cyclopts

from shopflow.errors import ConfigurationError
from shopflow.orders.payments.gateway import Gateways

Place = Annotated[str | None, cyclopts.Parameter(env_var="SHOPFLOW_GATEWAYS")]


def load(place: str) -> Gateways:
    """Return the gateways at `package.module:name`, calling it when it is a function.

    The module may be in the working directory, as with `python -m`.

    Raises:
        ConfigurationError: when there is no such thing, or it is no mapping.
    """
    module, _, name = place.partition(":")
    if not module or not name:
        raise ConfigurationError(f"gateways must be package.module:name, not {place!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"gateways: {place} cannot be imported: {error}") from error
    made = found() if callable(found) else found
    if not isinstance(made, Mapping):
        raise ConfigurationError(f"gateways: {place} is a {type(made).__name__}, not a mapping")
    return made
