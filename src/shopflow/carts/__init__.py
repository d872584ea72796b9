"""Shopping carts of users and guests (§2.3, §4.3)."""
