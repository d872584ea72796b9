"""Texts as people type them, as terms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopflow.errors import InvalidInputError
from shopflow.products.search.parsing import Term, corrected_text, parse
from shopflow.text import storable


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", ()),
        ('  & - " ', ()),
        ("mug", (Term("mug", is_prefix=True),)),
        ("mug ", (Term("mug"),)),
        ("m", (Term("m"),)),
        ("blue mug", (Term("blue"), Term("mug", is_prefix=True))),
        ("mugs!", (Term("mugs"),)),
        ('"blue mug"', (Term("blue mug", "phrase"),)),
        ("“blue  mug”", (Term("blue mug", "phrase"),)),
        ('"mug"', (Term("mug"),)),
        ('mug -"hand thrown', (Term("mug"), Term("hand thrown", "without"))),
        ("mug -blue", (Term("mug"), Term("blue", "without"))),
        ("usb-c t-shirt", (Term("usb-c"), Term("t-shirt", is_prefix=True))),
        ("- mug", (Term("mug", is_prefix=True),)),
        ("(mug)", (Term("mug"),)),
    ],
)
def test_a_text_has_terms(text: str, terms: tuple[Term, ...]) -> None:
    assert parse(text) == terms


@given(st.text(max_size=20).filter(storable))
def test_no_text_is_beyond_it(text: str) -> None:
    terms = parse(text)
    assert all(term.text.strip() == term.text != "" for term in terms)
    assert not any(term.is_prefix for term in terms[:-1])


@given(st.lists(st.sampled_from(["mug", "blue", "x1", "käse", "t-shirt"]), min_size=1, max_size=10))
def test_what_is_shown_means_what_was_typed(words: list[str]) -> None:
    text = f'"{" ".join(words)}" -{words[0]} {words[-1]}'
    terms = parse(text)
    assert parse(" ".join(map(str, terms))) == terms


@pytest.mark.parametrize("text", ["x" * 201, "a " * 21, "a\0b"])
def test_too_much_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="text"):
        parse(text)


def test_what_was_corrected_is_written_out() -> None:
    terms = parse('wirelss "blue mug" -red headphnes')
    assert corrected_text(terms, (None, None, None, None)) is None
    assert (
        corrected_text(terms, ("wireless", None, None, "headphones"))
        == 'wireless "blue mug" -red headphones'
    )
