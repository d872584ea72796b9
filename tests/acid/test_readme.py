"""The table of attacks names tests that are there, and every test of an attack is in it."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def named_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {
        node.name
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name.startswith("test_")
    }


def test_every_attack_has_its_test() -> None:
    named = NAMED.findall((TESTS / "acid" / "README.md").read_text())
    missing = [f"{file}::{name}" for file, name in named if name not in named_in(TESTS / file)]
    assert missing == []
    here = {
        (f"acid/{path.name}", name)
        for path in (TESTS / "acid").glob("test_*.py")
        if path != Path(__file__)
        for name in named_in(path)
    }
    assert here - set(named) == set()
