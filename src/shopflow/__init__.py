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
from shopflow.postgres.pool import Pool
from shopflow.postgres.transactions import run_transaction
from shopflow.settings import Settings
from shopflow.shop import Shop
from shopflow.shop import open_shop as open  # noqa: A004 read as shopflow.open

__all__ = [
    "CommitOutcomeUnknownError",
    "ConfigurationError",
    "ConstraintViolatedError",
    "InvalidInputError",
    "MigrationError",
    "NotFoundError",
    "Pool",
    "PoolTimeoutError",
    "ServerError",
    "Settings",
    "Shop",
    "ShopflowError",
    "TransactionConflictError",
    "TransactionError",
    "open",
    "run_transaction",
]
__version__ = "0.1.0"
