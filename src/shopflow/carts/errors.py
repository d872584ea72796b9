"""What a cart refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from shopflow.errors import ShopflowError
from shopflow.ids import ProductId, VariantId
from shopflow.postgres import failures

Reason = Literal["not for sale", "variant missing", "no such variant"]

REASONS: Mapping[str, Reason] = {
    "cart_items_product_not_deleted": "not for sale",
    "cart_items_variant_required": "variant missing",
    "cart_items_variant_id_fkey": "no such variant",
}
_SENTENCES: Mapping[Reason, str] = {
    "not for sale": "is not for sale",
    "variant missing": "is sold in variants: name one of them",
    "no such variant": "has no such variant",
}


class NotForSaleError(ShopflowError):
    """This product, or this variant of it, cannot be put into a cart.

    Attributes:
        product_id: the product.
        variant_id: the variant asked for, if one was.
        reason: `not for sale`, `variant missing` or `no such variant`.
    """

    def __init__(self, product_id: ProductId, variant_id: VariantId | None, reason: Reason) -> None:
        variant = f" (asked for {variant_id})" if variant_id else ""
        super().__init__(f"product {product_id} {_SENTENCES[reason]}{variant}")
        self.product_id = product_id
        self.variant_id = variant_id
        self.reason = reason


class CartOwnerError(ShopflowError):
    """A cart belongs to a user who exists and is not deleted; this one does not or is."""


failures.register({"carts_user_not_deleted": CartOwnerError, "carts_user_id_fkey": CartOwnerError})
