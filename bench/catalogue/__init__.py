"""A catalogue of any size, made once and kept: what the benches of the catalogue read."""
