"""Accounts, addresses and sessions (§2.1)."""
