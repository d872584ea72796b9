"""How much there is of each thing in a generated shop."""

import msgspec

from shopflow.errors import InvalidInputError


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many of each; `reviews` is what their number comes to, give or take a few in a hundred.

    Variants, images and the lines of orders follow from these.
    """

    products: int
    categories: int
    brands: int
    users: int
    reviews: int
    orders: int
    carts: int

    @property
    def units(self) -> int:
        """What progress is counted in: one for every product, user, order and cart."""
        return self.products + self.users + self.orders + self.carts


def counts_for(products: int) -> Counts:
    """Return what a shop of so many products has; replace single counts for another shop.

    Raises:
        InvalidInputError: for less than one product.
    """
    if products < 1:
        raise InvalidInputError("products", products, "must be at least 1")
    return Counts(
        products=products,
        categories=min(150, 12 + products // 20),
        brands=min(250, 8 + products // 100),
        users=50 + products // 5,
        reviews=3 * products,
        orders=40 + products // 20,
        carts=10 + products // 50,
    )
