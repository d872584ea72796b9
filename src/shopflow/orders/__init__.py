"""Orders (§2.4, §4.4): placing, paying, reading."""
