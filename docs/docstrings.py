"""Reads the docstrings of public operations: what they do, take and raise."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

SECTIONS = ("Args", "Returns", "Raises", "Attributes", "Yields")
NOTHING = "Raises nothing of its own."
_HEADING = re.compile(rf"({'|'.join(SECTIONS)}):")
_ITEM = re.compile(r"(?! )([\w, .*]+?): (.*)")


@dataclass
class Docstring:
    """A docstring in the Google convention, taken apart.

    Attributes:
        effect: everything before the first section, in Markdown.
        sections: by heading, each with its entries: what it is about, and what is said of it; the
            former is empty where a section is plain text.
    """

    effect: str
    sections: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line."""
        return self.effect.partition("\n")[0]

    @property
    def says_what_it_raises(self) -> bool:
        """Whether there is a section, or the sentence that there is nothing to say."""
        return bool(self.sections.get("Raises")) or NOTHING in " ".join(self.effect.split())

    @property
    def raised(self) -> set[str]:
        """The names of the errors."""
        return {
            name.strip()
            for names, _ in self.sections.get("Raises", [])
            for name in names.split(",")
        }


def read(thing: object) -> Docstring:
    """Take apart what a function or class says of itself."""
    text = inspect.getdoc(thing) or ""
    parts = Docstring("")
    section: str | None = None
    kept: dict[str | None, list[str]] = {None: []}
    for line in text.splitlines():
        heading = _HEADING.fullmatch(line)
        if heading:
            section = heading[1]
        kept.setdefault(section, []) if heading else kept[section].append(line)
    parts.effect = paragraphs(kept.pop(None))
    parts.sections = {str(name): _items(lines) for name, lines in kept.items()}
    return parts


def paragraphs(lines: Iterable[str]) -> str:
    """Join the lines of each paragraph; lists stay lists."""
    joined: list[str] = []
    for line in lines:
        begins = not joined or not joined[-1] or line.startswith("- ")
        if line and not begins:
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    return "\n".join(joined).strip()


def _items(lines: Iterable[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in inspect.cleandoc("\n".join(["", *lines])).splitlines():
        item = _ITEM.fullmatch(line)
        if item:
            found.append((item[1], item[2]))
        elif line and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
        elif line:
            found.append(("", line.strip()))
    return found
