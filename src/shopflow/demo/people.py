"""Users and their addresses. Nobody can sign in as one of them."""

from collections.abc import Iterator
from random import Random

from shopflow.demo.chance import DAY_MS, NOW_MS, between, chance, key, moment, pick
from shopflow.demo.rows import PostalAddress, User, UserAddress
from shopflow.demo.vocabulary import vocabulary

# No hash at all: no password ever matches it.
NO_PASSWORD = "!"  # noqa: S105 the point is that it is none
VERIFIED = 0.9
SHOP_DAYS = 3 * 365
FIRST_ROLES = ("admin", "merchant", "merchant", "merchant")


class People:
    """The users by number: the first four run the shop, the others are customers."""

    def __init__(self, seed: int, count: int) -> None:
        self._seed = seed
        self.count = count
        self.staff = [self.user(number).id for number in range(1, len(FIRST_ROLES))]

    def user(self, number: int) -> User:
        """Return the user of this number."""
        words = vocabulary()
        random = chance(self._seed, "user", number)
        customer = number >= len(FIRST_ROLES)
        age = (1 - (number + random.random()) / self.count) if customer else 1.0
        since = NOW_MS - DAY_MS - int(age * (SHOP_DAYS - 1) * DAY_MS)
        first = pick(random, words.first_names)
        last = pick(random, words.last_names)
        return User(
            id=key(random, since),
            email=f"{first}.{last}{number}@example.com".lower(),
            password_hash=NO_PASSWORD,
            first_name=first,
            last_name=last,
            role="customer" if customer else FIRST_ROLES[number],
            email_verified=random.random() < VERIFIED,
            created_at=moment(since),
            updated_at=moment(since),
        )

    def addresses(self, number: int, user: User) -> Iterator[UserAddress]:
        """Yield the addresses that a user has saved: none, one, or one of each type."""
        random = chance(self._seed, "address", number)
        given = address(random, user.first_name, user.last_name)
        at = int(user.created_at.timestamp() * 1000)
        for address_type in ("shipping", "billing")[: between(random, 0, 2)]:
            yield UserAddress(
                key(random, at),
                user.id,
                address_type,
                True,
                *given,
                user.created_at,
                user.created_at,
            )


def address(random: Random, first_name: str, last_name: str) -> PostalAddress:
    """Return an address that looks right and is nobody's."""
    words = vocabulary()
    city, state, prefix, country = pick(random, words.cities)
    street = f"{between(random, 1, 480)} {pick(random, words.streets)}"
    digits = 5 - len(prefix) if country != "DK" else 2
    code = prefix + str(between(random, 0, 10**digits - 1)).zfill(digits)
    return PostalAddress(first_name, last_name, street, city, state or None, code, country)
