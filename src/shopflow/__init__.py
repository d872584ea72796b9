"""ShopFlow: the commerce database as a Python package."""

__version__ = "0.1.0"
