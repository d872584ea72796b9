"""Where a CSV file has what, under the names that its format's versions gave its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from shopflow.importers.csv_records import MalformedFileError


class Columns(msgspec.Struct, frozen=True):
    """Where a file has what.

    Attributes:
        width: how many values a row has.
        places: the place of each of our columns that the file has.
        names: what the file calls it; for a column that it does not have, the usual name.
        ignored: the columns of the file that are not imported.
    """

    width: int
    places: Mapping[str, int]
    names: Mapping[str, str]
    ignored: tuple[str, ...]


class Format(msgspec.Struct, frozen=True):
    """A CSV format.

    Attributes:
        title: what a file of it is, as in "this is no product export of Shopify".
        names: ours → the names in the file, the usual one first; case does not matter.
        required: what it is not without.
        aliases: what the core calls otherwise → ours.
    """

    title: str
    names: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]
    aliases: Mapping[str, str] = {}


def columns_of(header: Sequence[str], kind: Format, file: str) -> Columns:
    """Read the header of `file`.

    Raises:
        MalformedFileError: when a column that is needed is missing, or one stands there twice.
    """
    given = [name.strip() for name in header]
    folded = [name.casefold() for name in given]
    places = {
        column: folded.index(name.casefold())
        for column, names in kind.names.items()
        for name in reversed(names)
        if name.casefold() in folded
    }
    missing = [" or ".join(kind.names[column]) for column in kind.required if column not in places]
    if missing:
        raise MalformedFileError(
            f"{file}: this is no {kind.title}, comma-separated: it has no column"
            f" {', no column '.join(missing)}; its columns are {_some(given)}"
        )
    for column, place in places.items():
        if folded.count(folded[place]) > 1:
            raise MalformedFileError(f"{file}: the column {kind.names[column][0]} is there twice")
    used = set(places.values())
    return Columns(
        width=len(given),
        places=places,
        names={
            column: given[places[column]] if column in places else names[0]
            for column, names in kind.names.items()
        },
        ignored=tuple(name for place, name in enumerate(given) if place not in used),
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"  # noqa: PLR2004
