"""Products and what belongs to them (§2.2): listings (§4.1) and the product page (§4.2)."""
