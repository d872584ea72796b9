"""What an error shows."""

from shopflow.errors import InvalidInputError


def test_a_long_value_is_cut_in_the_message_alone() -> None:
    error = InvalidInputError("name", "x" * 5000, "is too long")
    assert str(error) == f"name: is too long (got {repr('x' * 5000)[:200]}… of 5002 characters)"
    assert error.value == "x" * 5000
    assert str(InvalidInputError("n", "x" * 198, "no")) == f"n: no (got {'x' * 198!r})"
