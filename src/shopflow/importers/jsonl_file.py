"""An open JSON Lines file: its products, a line each, and its bytes for the rejects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from shopflow.importers.csv_records import LONGEST_VALUE, MalformedFileError
from shopflow.importers.jsonl_lines import Line
from shopflow.importers.products import GivenProduct, Note
from shopflow.importers.source import OpenFile, Refused, reason_of


class JsonlFile(OpenFile):
    """A `Source` in JSON Lines.

    Raises:
        ShopflowError: when it cannot be read.
    """

    names: Mapping[str, str] = {"title": "name", "handle": "slug", "option1_value": "variants"}
    ignored: tuple[str, ...] = ()

    def products(self, first: int, note: Note) -> Iterator[GivenProduct]:  # noqa: ARG002 Source
        """As for `Source`.

        Raises:
            MalformedFileError: for a line that is too long to be one.
        """
        n, number, start = first, 0, 0
        while text := self.file.readline(LONGEST_VALUE + 1):
            number += 1
            if len(text) > LONGEST_VALUE:
                raise MalformedFileError(f"{self.path.name}, line {number}: too long for a product")
            if not text.isspace():
                product = Line(n, self.number, number, start, text).product()
                yield product
                n = product.last + 1
            start += len(text)

    def rejects_header(self) -> bytes:
        """As for `Source`."""
        return b""

    def rejects(self, refused: Refused) -> Iterator[bytes]:
        """As for `Source`; the reason is one more key, or the line a text in an object of its own.

        The latter where the line is no object.
        """
        text = self.between(refused.start, refused.stop).strip()
        reason = msgspec.json.encode(reason_of(refused, refused.line, self.names))
        try:
            found = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            line = text.decode(errors="backslashreplace")
            yield msgspec.json.encode({"line": line, "reject_reason": msgspec.Raw(reason)}) + b"\n"
        else:
            found["reject_reason"] = msgspec.Raw(reason)
            yield msgspec.json.encode(found) + b"\n"
