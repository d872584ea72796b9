"""Many prices or stocks at once: previewed, applied in batches, at a time, and undone."""
