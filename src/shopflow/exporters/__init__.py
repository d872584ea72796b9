"""The catalogue written to files, for other systems and for the importers."""

from shopflow.exporters.exporting import ExportReport

__all__ = ["ExportReport"]
