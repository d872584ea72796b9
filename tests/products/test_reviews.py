"""Reviews: one a user and product, moderated, shown and counted once approved."""

import asyncio
from decimal import Decimal
from uuid import UUID

import pytest

from shopflow import InvalidInputError, NotFoundError, Shop
from shopflow.ids import ProductId, ReviewId, UserId
from shopflow.products import NewReview, ReviewChanges, ReviewSort
from shopflow.products.errors import AlreadyReviewedError, ReviewChangedError
from shopflow.products.review_models import Review
from tests.catalogue import a_product, a_user, inserted, run
from tests.products.conftest import an_order

NOBODY = UUID(int=0)
GOOD = NewReview(rating=5, title="Good", content="It is good.")
VERIFIED = "SELECT is_verified_purchase FROM product_reviews"


async def a_review(shop: Shop, product_id: ProductId, rating: int = 5) -> ReviewId:
    user_id = await a_user(shop)
    return await shop.products.reviews.submit(product_id, user_id, NewReview(rating=rating))


async def approve(shop: Shop, review_id: ReviewId) -> None:
    await shop.products.reviews.approve(review_id, seen=None, moderator=None)


async def rating(shop: Shop) -> tuple[int, int]:
    found = await run(shop, "SELECT sum(rating_sum), sum(rating_count) FROM product_stats")
    return (int(found[0][0] or 0), int(found[0][1] or 0))


async def test_from_submitted_to_shown(shop: Shop) -> None:
    product_id, author, staff = await a_product(shop), await a_user(shop), await a_user(shop)
    reviews = shop.products.reviews
    review_id = await reviews.submit(product_id, author, GOOD)
    assert (await reviews.list(product_id)).items == ()
    (queued,) = (await reviews.queue()).items
    assert (queued.id, queued.user_id, queued.rating) == (review_id, author, 5)
    assert (queued.title, queued.content) == ("Good", "It is good.")
    (own,) = (await reviews.own(author)).items
    assert (own.id, own.status, own.rejection_reason) == (review_id, "pending", None)
    await reviews.approve(review_id, seen=queued.updated_at, moderator=staff)
    (shown,) = (await reviews.list(product_id)).items
    assert (shown.id, shown.rating, shown.title, shown.author) == (review_id, 5, "Good", "Ann")
    assert (await reviews.queue()).items == ()
    assert (await reviews.own(author)).items[0].status == "approved"
    (listed,) = (await shop.products.list()).items
    assert (listed.avg_rating, listed.review_count) == (Decimal(5), 1)
    said = "SELECT moderated_by, moderated_at IS NOT NULL FROM product_reviews"
    assert await run(shop, said) == [(staff, True)]


async def test_one_review_a_user_and_product(shop: Shop) -> None:
    product_id, other, author = await a_product(shop), await a_product(shop), await a_user(shop)
    done = await asyncio.gather(
        *(shop.products.reviews.submit(product_id, author, GOOD) for _ in range(6)),
        shop.products.reviews.submit(other, author, GOOD),
        return_exceptions=True,
    )
    refused = [each for each in done if isinstance(each, BaseException)]
    assert [type(each) for each in refused] == [AlreadyReviewedError] * 5
    assert await run(shop, "SELECT count(*) FROM product_reviews") == [(2,)]


async def test_a_review_that_is_edited_waits_again(shop: Shop) -> None:
    product_id, author = await a_product(shop), await a_user(shop)
    reviews = shop.products.reviews
    review_id = await reviews.submit(product_id, author, GOOD)
    await approve(shop, review_id)
    await reviews.edit(review_id, author, ReviewChanges(rating=1, title=None))
    assert (await reviews.list(product_id)).items == ()
    assert await rating(shop) == (0, 0)
    (queued,) = (await reviews.queue()).items
    assert (queued.rating, queued.title, queued.content) == (1, None, "It is good.")
    await reviews.reject(review_id, "Rude", seen=queued.updated_at, moderator=None)
    (own,) = (await reviews.own(author)).items
    assert (own.status, own.rejection_reason) == ("rejected", "Rude")
    assert (await reviews.queue()).items == ()
    await reviews.edit(review_id, author, ReviewChanges(content="Sorry."))
    (own,) = (await reviews.own(author)).items
    assert (own.status, own.rejection_reason) == ("pending", None)
    await approve(shop, review_id)
    assert await rating(shop) == (1, 1)


async def test_nobody_approves_what_was_put_in_its_place(shop: Shop) -> None:
    product_id, author = await a_product(shop), await a_user(shop)
    reviews = shop.products.reviews
    review_id = await reviews.submit(product_id, author, GOOD)
    (read,) = (await reviews.queue()).items
    await reviews.edit(review_id, author, ReviewChanges(content="Buy at mine instead!"))
    with pytest.raises(ReviewChangedError, match=str(review_id)):
        await reviews.approve(review_id, seen=read.updated_at, moderator=None)
    with pytest.raises(ReviewChangedError):
        await reviews.reject(review_id, "Rude", seen=read.updated_at, moderator=None)
    assert (await reviews.list(product_id)).items == ()
    (read,) = (await reviews.queue()).items
    await reviews.approve(review_id, seen=read.updated_at, moderator=None)
    assert len((await reviews.list(product_id)).items) == 1


async def test_an_approved_review_can_be_taken_down(shop: Shop) -> None:
    product_id = await a_product(shop)
    review_id = await a_review(shop, product_id)
    await approve(shop, review_id)
    await shop.products.reviews.reject(review_id, "Paid for", seen=None, moderator=None)
    assert (await shop.products.reviews.list(product_id)).items == ()
    assert await rating(shop) == (0, 0)
    await approve(shop, review_id)
    await approve(shop, review_id)
    assert await rating(shop) == (5, 1)


async def test_only_the_author_edits_and_deletes(shop: Shop) -> None:
    product_id, author, other = await a_product(shop), await a_user(shop), await a_user(shop)
    reviews = shop.products.reviews
    review_id = await reviews.submit(product_id, author, GOOD)
    await approve(shop, review_id)
    for call in (
        reviews.edit(review_id, other, ReviewChanges(rating=1)),
        reviews.delete(review_id, user_id=other),
    ):
        with pytest.raises(NotFoundError, match="no such review"):
            await call
    await reviews.delete(review_id, user_id=author)
    assert await rating(shop) == (0, 0)
    again = await reviews.submit(product_id, author, GOOD)
    await reviews.delete(again, user_id=None)
    with pytest.raises(NotFoundError):
        await reviews.delete(again, user_id=None)


async def test_what_cannot_be_is_refused(shop: Shop) -> None:
    product_id, author = await a_product(shop), await a_user(shop)
    reviews = shop.products.reviews
    for stars in (0, 6, True, 4.5):
        with pytest.raises(InvalidInputError, match="rating: must be"):
            await reviews.submit(product_id, author, NewReview(rating=stars))  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="title"):
        await reviews.submit(product_id, author, NewReview(rating=1, title="x" * 256))
    with pytest.raises(NotFoundError, match="no such user"):
        await reviews.submit(product_id, UserId(NOBODY), GOOD)
    with pytest.raises(NotFoundError, match="no such product"):
        await reviews.submit(ProductId(NOBODY), author, GOOD)
    review_id = await reviews.submit(product_id, author, GOOD)
    with pytest.raises(InvalidInputError, match="at least one of rating, title, content"):
        await reviews.edit(review_id, author, ReviewChanges())
    for reason in ("", " ", "\0"):
        with pytest.raises(InvalidInputError, match="reason"):
            await reviews.reject(review_id, reason, seen=None, moderator=None)
    with pytest.raises(NotFoundError, match="no such user"):
        await reviews.approve(review_id, seen=None, moderator=UserId(NOBODY))
    with pytest.raises(NotFoundError, match="no such review"):
        await reviews.approve(ReviewId(NOBODY), seen=None, moderator=None)
    with pytest.raises(InvalidInputError, match="sort"):
        await reviews.list(product_id, "worst")  # type: ignore[arg-type]


async def test_what_is_deleted_is_not_reviewed(shop: Shop) -> None:
    product_id, author = await a_product(shop), await a_user(shop)
    await shop.products.archive(product_id, expected_version=None)
    with pytest.raises(NotFoundError, match="no such product"):
        await shop.products.reviews.submit(product_id, author, GOOD)
    await shop.products.restore(product_id)
    await run(shop, "UPDATE users SET deleted_at = now()")
    with pytest.raises(NotFoundError, match="no such user"):
        await shop.products.reviews.submit(product_id, author, GOOD)


@pytest.mark.parametrize(
    ("payment_status", "steps", "verified"),
    [
        ("unpaid", [], False),
        ("authorized", ["confirmed"], False),
        ("paid", ["confirmed"], True),
        ("partially_refunded", ["confirmed"], True),
        ("refunded", ["confirmed"], False),
        ("paid", ["cancelled"], False),
        ("unpaid", ["confirmed", "processing", "shipped", "delivered"], True),
    ],
)
async def test_a_purchase_is_verified_by_what_was_paid_or_delivered(
    shop: Shop, payment_status: str, steps: list[str], *, verified: bool
) -> None:
    product_id, author = await a_product(shop), await a_user(shop)
    await an_order(shop, author, await a_product(shop), payment_status="paid")
    await an_order(shop, await a_user(shop), product_id, payment_status="paid")
    order_id = await an_order(shop, author, product_id, payment_status=payment_status)
    for status in steps:
        await run(
            shop,
            "UPDATE orders SET status = %(status)s WHERE id = %(id)s",
            status=status,
            id=order_id,
        )
    await shop.products.reviews.submit(product_id, author, GOOD)
    assert await run(shop, VERIFIED) == [(verified,)]


async def test_a_purchase_is_looked_for_again_when_approved_and_never_lost(shop: Shop) -> None:
    product_id, author = await a_product(shop), await a_user(shop)
    review_id = await shop.products.reviews.submit(product_id, author, GOOD)
    # Nobody can say so by hand.
    await run(shop, "UPDATE product_reviews SET is_verified_purchase = true")
    assert await run(shop, VERIFIED) == [(False,)]
    await an_order(shop, author, product_id, payment_status="paid")
    await approve(shop, review_id)
    assert await run(shop, VERIFIED) == [(True,)]
    await run(shop, "UPDATE users SET deleted_at = now() WHERE id = %(id)s", id=author)
    await run(shop, "UPDATE product_reviews SET is_verified_purchase = false")
    await shop.products.reviews.reject(review_id, "No", seen=None, moderator=None)
    await approve(shop, review_id)
    (shown,) = (await shop.products.reviews.list(product_id)).items
    assert (shown.is_verified_purchase, shown.author) == (True, None)
    await run(shop, "UPDATE product_reviews SET user_id = NULL")
    assert await run(shop, VERIFIED) == [(True,)]


async def pages(shop: Shop, product_id: ProductId, sort: ReviewSort) -> list[Review]:
    seen: list[Review] = []
    cursor = None
    while True:
        page = await shop.products.reviews.list(product_id, sort, limit=3, cursor=cursor)
        assert 0 < len(page.items) <= 3
        seen += page.items
        if page.next is None:
            return seen
        cursor = page.next


async def test_every_sort_shows_each_review_once(shop: Shop) -> None:
    product_id, other = await a_product(shop), await a_product(shop)
    buyers = [await a_user(shop) for _ in range(4)]
    for buyer in buyers:
        await an_order(shop, buyer, product_id, payment_status="paid")
        row = {"product_id": product_id, "user_id": buyer, "rating": 3, "is_approved": True}
        await inserted(shop, "product_reviews", row)
    # Many at the same time, with the same rating, by people without an account.
    await run(
        shop,
        "INSERT INTO product_reviews (product_id, rating, is_approved)"
        " SELECT %(id)s, 1 + n %% 5, n <> 7 FROM generate_series(1, 13) AS n",
        id=product_id,
    )
    await a_review(shop, other)
    keys = {
        "newest": lambda r: (r.created_at, r.id),
        "rating": lambda r: (r.rating, r.created_at, r.id),
        "verified": lambda r: (r.is_verified_purchase, r.created_at, r.id),
    }
    for sort, key in keys.items():
        seen = await pages(shop, product_id, sort)  # type: ignore[arg-type]
        assert len(seen) == len({review.id for review in seen}) == 16
        assert seen == sorted(seen, key=key, reverse=True), sort
    cursor = (await shop.products.reviews.list(product_id, limit=1)).next
    with pytest.raises(InvalidInputError, match="cursor"):
        await shop.products.reviews.list(product_id, "rating", limit=1, cursor=cursor)


async def test_queue_and_own_reviews_come_in_pages(shop: Shop) -> None:
    author = await a_user(shop)
    written = []
    for _ in range(5):
        product_id = await a_product(shop)
        written.append(await shop.products.reviews.submit(product_id, author, GOOD))
    queue: list[ReviewId] = []
    own: list[ReviewId] = []
    after = before = None
    for _ in range(3):
        queued = await shop.products.reviews.queue(limit=2, cursor=after)
        mine = await shop.products.reviews.own(author, limit=2, cursor=before)
        queue += [review.id for review in queued.items]
        own += [review.id for review in mine.items]
        after, before = queued.next, mine.next
    assert (after, before) == (None, None)
    assert (queue, own) == (written, written[::-1])
    # Edited, it waits behind the others.
    await shop.products.reviews.edit(written[0], author, ReviewChanges(rating=4))
    assert [r.id for r in (await shop.products.reviews.queue()).items] == [*written[1:], written[0]]


async def test_ratings_add_up_whoever_moderates_at_once(roomy: Shop) -> None:
    product_id = await a_product(roomy)
    ids = [await a_review(roomy, product_id, 1 + n % 5) for n in range(16)]
    reviews = roomy.products.reviews
    await asyncio.gather(*(approve(roomy, review_id) for review_id in ids * 2))
    assert await rating(roomy) == (sum(1 + n % 5 for n in range(16)), 16)
    done = await asyncio.gather(
        *(reviews.delete(review_id, user_id=None) for review_id in ids[:8]),
        *(approve(roomy, review_id) for review_id in ids),
        *(reviews.reject(review_id, "No", seen=None, moderator=None) for review_id in ids[4:12]),
        return_exceptions=True,
    )
    assert {type(each) for each in done if each is not None} <= {NotFoundError}
    counted = await run(
        roomy,
        "SELECT coalesce(sum(rating), 0), count(*) FROM product_reviews WHERE is_approved",
    )
    assert await rating(roomy) == counted[0]
    assert await run(roomy, "SELECT count(*) FROM product_reviews") == [(8,)]
