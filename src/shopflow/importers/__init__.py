"""Catalogues of other systems, brought into the shop."""

from shopflow.importers.csv_records import MalformedFileError
from shopflow.importers.report import ImportRefusedError
from shopflow.importers.value_file import ValueFile, read_price_file, read_stock_file

__all__ = [
    "ImportRefusedError",
    "MalformedFileError",
    "ValueFile",
    "read_price_file",
    "read_stock_file",
]
