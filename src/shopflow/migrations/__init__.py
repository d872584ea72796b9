"""Brings a shop's schema to the wanted version, back, and says whether it is what it should be."""
