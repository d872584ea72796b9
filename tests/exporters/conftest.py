"""The shop and the files of the importers' tests."""

from tests.importers.conftest import importer

__all__ = ["importer"]
