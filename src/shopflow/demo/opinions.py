"""Reviews: few products have many, most have few."""

from collections.abc import Iterator

from shopflow.demo.chance import NOW_MS, Zipf, between, chance, key, moment, pick, stride
from shopflow.demo.goods import Listing
from shopflow.demo.rows import Review
from shopflow.demo.vocabulary import vocabulary

REVIEW_EXPONENT = 0.8
# Most people are pleased.
RATINGS = (1, 2, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5)
APPROVED = 0.94
# A product is reviewed by so many of the users at most.
AUTHORS = 0.6


class Opinions:
    """The reviews of each product, by users who reviewed it once."""

    def __init__(self, seed: int, products: int, total: int) -> None:
        self._seed = seed
        self._products = products
        random = chance(seed, "popularity")
        self._step = stride(random, products)
        self._first = between(random, 0, products - 1)
        self._zipf = Zipf(products, REVIEW_EXPONENT, total)

    def about(
        self, number: int, listing: Listing, authors: list[tuple[str, int]]
    ) -> Iterator[Review]:
        """Yield the reviews of a product; `authors` are users with the time they joined."""
        random = chance(self._seed, "reviews", number)
        share = self._zipf.share(1 + (self._first + number * self._step) % self._products)
        count = min(int(share + random.random()), int(len(authors) * AUTHORS))
        if not count:
            return
        words = vocabulary().reviews
        from_ms = int(listing.product.created_at.timestamp() * 1000)
        step = stride(random, len(authors))
        start = between(random, 0, len(authors) - 1)
        # A product is good or not: its ratings lean to one side.
        lean = random.random() * 0.6
        for place in range(count):
            user_id, joined = authors[(start + place * step) % len(authors)]
            after = max(from_ms, joined)
            at = after + int(random.random() * (NOW_MS - after))
            rating = RATINGS[int(random.random() ** (1 + lean) * len(RATINGS))]
            title, content = pick(random, words[str(rating)])
            when = moment(at)
            yield Review(
                id=key(random, at),
                product_id=listing.product.id,
                user_id=user_id,
                rating=rating,
                title=title,
                content=content.format(noun=listing.noun, color=listing.color),
                is_approved=random.random() < APPROVED,
                created_at=when,
                updated_at=when,
            )
