"""Every public operation says what it guarantees and what it raises; what it speaks of is public."""

import inspect

import pytest

from docs import generate, operations, public_names
from docs.operations import Operation
from shopflow.errors import (
    CommitOutcomeUnknownError,
    ConstraintViolatedError,
    PoolTimeoutError,
    ServerError,
    ShopflowError,
    TransactionConflictError,
)
from shopflow.settings import Settings
from shopflow.shop import open_shop
from tests.docs.raises import raised_by

EVERY = [each for _, _, found in operations.groups() for each in found]
# The page says it once, for all operations.
GENERAL = (
    CommitOutcomeUnknownError,
    ConstraintViolatedError,
    PoolTimeoutError,
    ServerError,
    TransactionConflictError,
)
# A setting's type, what run_transaction is given, a text with a length: nobody has to name them.
WRITTEN_OUT = {"Environment", "Work", "Reference"}
# Met by the commands alone, as what they are derived from; and by the sandbox's own server.
NOT_FOR_PROGRAMS = ("shopflow.postgres.", "shopflow.demo.")
SANDBOX_SERVER = "shopflow.orders.payments.sandbox_books"
# What the code below an operation can raise, and what it is given here cannot.
NOT_REACHED = {
    # Pieces cannot be too few for what was counted.
    "shop.products.stock.set": {"InsufficientStockError"},
    # The changes are ShopFlow's own.
    "shop.products.variants.deactivate": {"InvalidInputError"},
    "shop.products.brands.deactivate": {"InvalidInputError"},
    # Keys, payments and amounts are ShopFlow's own, looked up under the order's lock.
    "shop.orders.cancel": {"PaymentKeyTakenError"},
    "shop.orders.return_items": {
        "PaymentAmountError",
        "PaymentKeyTakenError",
        "PaymentRefusedError",
    },
    # Raised when a job runs, which logs it.
    "shop.events.standard_jobs": {"InvalidInputError", "NotFoundError", "PaymentKeyTakenError"},
    "shop.orders.payments.recover": {"NotFoundError", "PaymentKeyTakenError"},
    "shop.orders.payments.handle_webhook": {"InvalidInputError", "PaymentKeyTakenError"},
    "shop.orders.payments.expire_authorizations": {
        "InvalidInputError",
        "NotFoundError",
        "PaymentKeyTakenError",
    },
}
operation = pytest.mark.parametrize("operation", EVERY, ids=lambda each: each.name)


@pytest.mark.parametrize("page", ["operations.md", "types.md"])
def test_the_page_is_as_documented(page: str) -> None:
    written = (generate.REFERENCE / page).read_text(encoding="utf-8")
    now = operations.page() if page == "operations.md" else public_names.page()
    assert written == now, "run `make docs`"


@operation
def test_an_operation_says_what_it_does_and_what_it_raises(operation: Operation) -> None:
    # Raises LookupError where the docstring points to nothing.
    said = operation.said
    assert said.summary.endswith("."), f"{operation.name} has no effect in its docstring"
    assert said.says_what_it_raises, (
        f"{operation.function.__module__}.{operation.function.__qualname__} has neither a Raises"
        " section nor the sentence 'Raises nothing of its own.'"
    )


@operation
def test_an_operation_documents_the_errors_that_its_code_raises(operation: Operation) -> None:
    documented = {error for error in _public_errors() if error.__name__ in operation.said.raised}
    missing = {
        error.__name__
        for error in raised_by(operation.function)
        if not issubclass(error, GENERAL) and not documented & set(error.__mro__)
    }
    assert missing == NOT_REACHED.get(operation.name, set()), (
        f"{operation.name} can raise what its docstring does not name"
    )


@operation
def test_what_an_operation_documents_as_raised_is_there(operation: Operation) -> None:
    known = {error.__name__ for error in _public_errors()} | {"TypeError", "psycopg.Error"}
    assert operation.said.raised <= known


@operation
def test_an_argument_that_is_documented_is_there(operation: Operation) -> None:
    documented = {name for name, _ in operation.said.sections.get("Args", [])}
    assert documented <= set(inspect.signature(operation.function).parameters)


async def test_the_reference_has_what_hangs_on_an_open_shop(settings: Settings) -> None:
    documented = dict(operations.facades())
    async with open_shop(settings) as shop:
        found = dict(operations.below("shop", shop))
    assert {path: type(part) for path, part in found.items()} == {
        path: type(part) for path, part in documented.items()
    }
    assert "shop.orders.payments" in found


def test_what_operations_take_and_return_can_be_imported() -> None:
    public = {id(each) for names in public_names.exported().values() for each in names.values()}
    hidden = [
        f"{name} ({where})"
        for where, name, found in public_names.spoken_of()
        if id(found) not in public and name not in WRITTEN_OUT
    ]
    assert not hidden, "export them from the package of their domain"


def test_every_error_has_the_one_base_and_can_be_imported() -> None:
    public = {id(each) for names in public_names.exported().values() for each in names.values()}
    for error in (each for each in public_names.errors() if each.__module__ != SANDBOX_SERVER):
        assert issubclass(error, ShopflowError), error
        if not error.__module__.startswith(NOT_FOR_PROGRAMS):
            assert id(error) in public, f"export {error.__name__} from its package"


def _public_errors() -> set[type[Exception]]:
    return set(public_names.errors())
