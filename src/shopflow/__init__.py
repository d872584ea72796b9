"""ShopFlow: the commerce database as a Python package."""

from shopflow.errors import (
    CommitOutcomeUnknownError,
    ConfigurationError,
    ConstraintViolatedError,
    InvalidInputError,
    MigrationError,
    NotFoundError,
    PoolTimeoutError,
    ServerError,
    ShopflowError,
    TransactionConflictError,
    TransactionError,
)
from shopflow.shop import Shop
from shopflow.shop import open_shop as open  # noqa: A004 read as shopflow.open

__all__ = [
    "CommitOutcomeUnknownError",
    "ConfigurationError",
    "ConstraintViolatedError",
    "InvalidInputError",
    "MigrationError",
    "NotFoundError",
    "PoolTimeoutError",
    "ServerError",
    "Shop",
    "ShopflowError",
    "TransactionConflictError",
    "TransactionError",
    "open",
]
__version__ = "0.1.0"
