"""Reads from a function's source which errors of ShopFlow it can raise, with all that it calls."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from shopflow.errors import ShopflowError

Errors = frozenset[type[ShopflowError]]


def raised_by(function: Callable[..., Any]) -> Errors:
    """Return the errors that are made anywhere below; what the database answers is not seen."""
    return _Reader().read(function)


class _Reader:
    def __init__(self) -> None:
        self._known: dict[Callable[..., Any], Errors] = {}

    def read(self, function: Callable[..., Any]) -> Errors:
        function = inspect.unwrap(function)
        if function not in self._known:
            # What calls itself adds nothing.
            self._known[function] = frozenset()
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
            module = inspect.getmodule(function)
            assert module is not None
            self._known[function] = self._in(tree.body, module)
        return self._known[function]

    def _in(self, nodes: Iterable[ast.AST], module: ModuleType) -> Errors:
        found: Errors = frozenset()
        for node in nodes:
            found |= self._at(node, module)
        return found

    def _at(self, node: ast.AST, module: ModuleType) -> Errors:
        if isinstance(node, ast.Try):
            passed = self._in(node.body, module)
            for handler in node.handlers:
                caught = _caught(handler.type, module)
                passed = frozenset(e for e in passed if not issubclass(e, caught))
                passed |= self._in(handler.body, module)
            return passed | self._in([*node.orelse, *node.finalbody], module)
        found = self._in(ast.iter_child_nodes(node), module)
        if isinstance(node, ast.Call):
            found |= self._called(_resolve(node.func, module))
        if isinstance(node, ast.Raise) and node.exc is not None:
            found |= _error(_resolve(node.exc, module))
        return found

    def _called(self, called: object) -> Errors:
        if inspect.isfunction(called) and called.__module__.startswith("shopflow."):
            # What every operation may raise is said once, for all of them.
            return frozenset() if ".postgres." in called.__module__ else self.read(called)
        return _error(called)


def _error(found: object) -> Errors:
    if inspect.isclass(found) and issubclass(found, ShopflowError):
        return frozenset({found})
    return frozenset()


def _caught(handler: ast.expr | None, module: ModuleType) -> tuple[type, ...]:
    parts = handler.elts if isinstance(handler, ast.Tuple) else [handler] if handler else []
    found = [_resolve(part, module) for part in parts]
    return tuple(each for each in found if inspect.isclass(each)) if handler else (Exception,)


def _resolve(node: ast.expr, module: ModuleType) -> object:
    if isinstance(node, ast.Name):
        return getattr(module, node.id, None)
    if isinstance(node, ast.Attribute):
        holder = _resolve(node.value, module)
        return getattr(holder, node.attr, None) if isinstance(holder, ModuleType) else None
    return None
