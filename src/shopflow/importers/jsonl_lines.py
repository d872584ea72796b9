"""A line of a JSON Lines file as a product, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Collection
from decimal import Decimal
from typing import TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from shopflow.errors import InvalidInputError
from shopflow.importers.cells import NOT_IN_SLUGS, SHOWN, wrong_url
from shopflow.importers.json_products import JsonImage, JsonProduct, JsonVariant
from shopflow.importers.products import (
    DEEPEST_CATEGORY,
    LARGEST_INTEGER,
    LONGEST_DESCRIPTION,
    LONGEST_NAME,
    LONGEST_SKU,
    GivenImage,
    GivenProblem,
    GivenProduct,
    GivenVariant,
)
from shopflow.money import ZERO, check_amount

# What an entry of the index of a product's options, and of that of attributes, can hold.
LONGEST_OPTIONS, MOST_OPTIONS, LONGEST_ATTRIBUTES = 1500, 10, 64 * 1024
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
_NAMED = re.compile(r"field `([^`]*)`")
_STEP = re.compile(r"[^.\[\]]+")
# What PostgreSQL may not take as it stands: it is read, looked at and written anew.
_UNUSUAL = re.compile(rb"\\u|[0-9][eE]")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_decode = msgspec.json.Decoder(JsonProduct).decode
_decode_object = msgspec.json.Decoder(dict[str, object]).decode
_encode = msgspec.json.Encoder().encode
# What a line gives or leaves as it is; the core calls it the same.
_FIELDS = (
    "description",
    "brand",
    "category",
    "tags",
    "attributes",
    "compare_at_price",
    "track_inventory",
    "is_active",
    "is_featured",
    "variants",
    "images",
)
T = TypeVar("T")


class Line:
    """A line: `n` goes up from line to line and variant to variant of all files."""

    def __init__(self, n: int, file: int, number: int, start: int, text: bytes) -> None:
        self._n = n
        self._number = number
        self._text = text.strip()
        self._problems: list[GivenProblem] = []
        self._place = (n, file, number, start, start + len(text))

    def product(self) -> GivenProduct:
        """Return the product; without handle when the line is none, and with what is wrong."""
        read = self._read()
        if read is None:
            return GivenProduct(*self._place, "", frozenset(), problems=self._problems)
        price = self._amount("price", read.price) if isinstance(read.price, Decimal) else None
        variants = self._variants(read, price)
        fields = {name for name in _FIELDS if getattr(read, name) is not UNSET}
        if read.variants or "compare_at_price" in fields:
            fields.add("variant_compare_at_price")
        return GivenProduct(
            *self._place,
            self._slug(read.slug),
            frozenset(fields),
            title=self._text_of("name", read.name, LONGEST_NAME),
            description=self._description(given(read.description)),
            brand=self._optional("brand", given(read.brand), LONGEST_NAME),
            category=self._category(given(read.category)),
            tags=self._tags(given(read.tags) or ()),
            attributes=self._attributes(given(read.attributes)),
            is_active=read.is_active is not False,
            is_featured=read.is_featured is True,
            is_tracked=read.track_inventory is not False,
            sku=self._optional("sku", given(read.sku), LONGEST_SKU),
            price=price,
            compare_at_price=self._reduced_from(
                "compare_at_price", given(read.compare_at_price), price
            ),
            variants=variants,
            images=self._images(read, variants),
            problems=self._problems,
        )

    def _read(self) -> JsonProduct | None:
        if rb"\u0000" in self._text and _NUL.search(self._text):
            self._refuse("line", self._text.decode(errors="replace"), "holds a NUL character")
            return None
        try:
            try:
                return _decode(self._text)
            except msgspec.ValidationError as error:
                self._refuse_shape(str(error), msgspec.json.decode(self._text))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._refuse("line", self._text.decode(errors="replace"), f"is not JSON: {error}")
        return None

    def _refuse_shape(self, message: str, value: object) -> None:
        """Name the field at fault, and what stands there in the line's `value`."""
        found = _PATH.search(message)
        path = found[1] if found else ""
        named = _NAMED.search(message)
        field = path or (named[1] if named else "line")
        for step in _STEP.findall(field):
            if isinstance(value, list) and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
            elif isinstance(value, dict) and step in value:
                value = value[step]
            elif field != "line":
                value = ""
        self._refuse(field, value, _PATH.sub("", message))

    def _refuse(self, field: str, value: object, reason: str) -> None:
        shown = value if isinstance(value, str) else _encode(value).decode()
        text = shown.replace("\0", "\\0")[:SHOWN]
        self._problems.append(GivenProblem(self._n, self._n, self._number, field, text, reason))

    def _slug(self, slug: str) -> str:
        slug = self._text_of("slug", slug, LONGEST_NAME)
        if NOT_IN_SLUGS.search(slug):
            self._refuse("slug", slug, "must not have white space, /, ? or # in it")
        return slug

    def _text_of(self, field: str, text: str, longest: int) -> str:
        if not text or text.isspace():
            self._refuse(field, text, "must not be empty")
            return ""
        if len(text) > longest:
            self._refuse(field, text, f"is {len(text)} characters long, {longest} is the most")
            return ""
        return text

    def _optional(self, field: str, text: str | None, longest: int) -> str | None:
        return None if text is None else self._text_of(field, text, longest)

    def _description(self, text: str | None) -> str | None:
        if (
            text is not None
            and len(text) > LONGEST_DESCRIPTION // 4
            and len(text.encode()) > LONGEST_DESCRIPTION
        ):
            self._refuse("description", text, "is longer than 512 KiB")
            return None
        return text

    def _category(self, names: list[str] | None) -> tuple[str, ...] | None:
        if not names:
            return None
        if len(names) > DEEPEST_CATEGORY:
            self._refuse("category", names, f"must be at most {DEEPEST_CATEGORY} names")
            return None
        return tuple(self._text_of("category", name, LONGEST_NAME) for name in names)

    def _tags(self, tags: Collection[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._text_of("tags", tag, LONGEST_NAME) for tag in tags))

    def _attributes(self, raw: Raw | None) -> str:
        if raw is None:
            return "{}"
        text = bytes(raw)
        try:
            found = _decode_object(text)
        except (msgspec.DecodeError, RecursionError):
            self._refuse("attributes", text.decode(), "must be an object")
            return "{}"
        if len(text) > LONGEST_ATTRIBUTES:
            self._refuse("attributes", text.decode(), f"is longer than {LONGEST_ATTRIBUTES} bytes")
            return "{}"
        if _UNUSUAL.search(text):
            text = _encode(found)
        return text.decode()

    def _amount(self, field: str, amount: Decimal) -> Decimal:
        try:
            check_amount(field, amount)
        except InvalidInputError as error:
            self._refuse(field, str(amount), error.reason)
            return ZERO
        return amount

    def _reduced_from(
        self, field: str, amount: Decimal | None, price: Decimal | None
    ) -> Decimal | None:
        if amount is None:
            return None
        amount = self._amount(field, amount)
        if price is not None and amount <= price:
            self._refuse(field, str(amount), "must be above the price")
            return None
        return amount

    def _whole(self, field: str, number: int | None, smallest: int) -> int | None:
        if number is not None and not smallest <= number <= LARGEST_INTEGER:
            self._refuse(field, number, f"must be from {smallest} to {LARGEST_INTEGER}")
            return None
        return number

    def _variants(self, read: JsonProduct, price: Decimal | None) -> list[GivenVariant]:
        if read.variants:
            return [
                self._variant(place, each) for place, each in enumerate(given(read.variants) or ())
            ]
        if price is None and not any(each.field == "price" for each in self._problems):
            self._refuse("price", "", "a product without variants must have it")
        return [
            GivenVariant(
                self._n,
                self._n,
                self._number,
                None,
                None,
                None,
                None,
                None,
                price,
                given(read.compare_at_price),
                self._whole("stock_quantity", given(read.stock_quantity), 0),
                True,
                True,
                None,
            )
        ]

    def _variant(self, place: int, read: JsonVariant) -> GivenVariant:
        field = f"variants[{place}]"
        price = self._amount(f"{field}.price", read.price)
        options = _encode(read.option_values)
        if len(options) > LONGEST_OPTIONS or len(read.option_values) > MOST_OPTIONS:
            reason = f"must be at most {MOST_OPTIONS} options in {LONGEST_OPTIONS} bytes"
            self._refuse(f"{field}.option_values", options.decode(), reason)
            options = b"{}"
        name = read.name
        if name is None:
            name = (
                " / ".join(str(value) for value in read.option_values.values()) or "Default Title"
            )
        return GivenVariant(
            self._n + place,
            self._n,
            self._number,
            None,
            None,
            options.decode(),
            self._text_of(f"{field}.name", name, LONGEST_NAME),
            self._optional(f"{field}.sku", read.sku, LONGEST_SKU),
            price,
            self._reduced_from(f"{field}.compare_at_price", read.compare_at_price, price),
            self._whole(f"{field}.stock_quantity", read.stock_quantity, 0),
            True,
            read.is_active,
            self._whole(f"{field}.sort_order", read.sort_order, -LARGEST_INTEGER),
        )

    def _images(self, read: JsonProduct, variants: list[GivenVariant]) -> list[GivenImage]:
        images = given(read.images) or []
        primary = [place for place, image in enumerate(images) if image.is_primary is True]
        if len(primary) > 1:
            self._refuse(f"images[{primary[1]}].is_primary", True, "another one is primary")
        if not primary and all(image.is_primary is UNSET for image in images):
            primary = [0]
        by_sku = {each.sku.lower(): each.n for each in variants if each.sku is not None}
        seen: dict[str, int] = {}
        return [
            self._image(place, image, by_sku, seen, is_primary=place in primary)
            for place, image in enumerate(images)
        ]

    def _image(
        self,
        place: int,
        image: JsonImage,
        by_sku: dict[str, int],
        seen: dict[str, int],
        *,
        is_primary: bool,
    ) -> GivenImage:
        field = f"images[{place}]"
        wrong = wrong_url(image.url)
        if wrong is not None:
            self._refuse(f"{field}.url", image.url, wrong)
        variant = None if image.variant is None else by_sku.get(image.variant.lower())
        if image.variant is not None and variant is None:
            reason = "no variant of this product has this SKU"
            self._refuse(f"{field}.variant", image.variant, reason)
        seen[image.url] = seen.get(image.url, 0) + 1
        position = self._whole(f"{field}.sort_order", image.sort_order, -LARGEST_INTEGER)
        return GivenImage(
            self._n + place,
            self._n,
            image.url,
            seen[image.url],
            image.alt_text,
            place + 1 if position is None else position,
            False,
            variant,
            is_primary,
        )


def given(value: T | UnsetType) -> T | None:
    """Return what is given, None for what is not."""
    return None if isinstance(value, UnsetType) else value
