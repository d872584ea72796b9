"""Catalogues of other systems, brought into the shop."""
