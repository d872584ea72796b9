"""Catalogues of other systems, brought into the shop."""

from shopflow.importers.csv_records import MalformedFileError
from shopflow.importers.report import ImportRefusedError

__all__ = ["ImportRefusedError", "MalformedFileError"]
