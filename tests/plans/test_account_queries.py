"""The queries of accounts find their rows by index, in a shop of 5,000 users."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from shopflow.users.limiting import QUERIES
from tests.plans.conftest import Explain

pytestmark = pytest.mark.plans

ACCOUNTS = b"""
INSERT INTO user_sessions (user_id, refresh_token_hash, expires_at)
SELECT id, sha256((id || '-' || n)::bytea), now() + n * interval '1 day'
FROM users, generate_series(1, 4) AS n;
INSERT INTO password_resets (user_id, token_hash, expires_at)
SELECT id, sha256(id::text::bytea), now() + interval '1 day' FROM users;
INSERT INTO email_verifications (user_id, email, token_hash, expires_at)
SELECT id, email, sha256(id::text::bytea), now() + interval '1 day' FROM users;
INSERT INTO user_addresses (user_id, address_type, first_name, last_name, address_line_1, city,
    postal_code, country_code)
SELECT id, kind, 'A', 'B', 'C', 'D', 'E', 'DE' FROM users, unnest(ARRAY['shipping', 'billing']) AS kind;
"""
# What is over in a table that has no index on the time; and every session, after a restore.
READS_ALL = {"expire_rate_limits", "end_all_sessions"}
# No prices were changed by anybody in this shop.
SMALL = {"coupons", "coupon_usage", "bulk_changes", "price_changes"}


@pytest.fixture(scope="module")
def values(large_shop: psycopg.ClientCursor[Any]) -> Mapping[str, Any]:
    large_shop.execute(ACCOUNTS)
    large_shop.execute("VACUUM ANALYZE")
    large_shop.execute(
        "SELECT u.id AS user_id, u.email, s.refresh_token_hash AS digest, s.family_id, a.id"
        " FROM users AS u JOIN user_sessions AS s ON s.user_id = u.id"
        " JOIN user_addresses AS a ON a.user_id = u.id LIMIT 1"
    )
    ((user_id, email, digest, session_id, address_id),) = large_shop.fetchall()
    address = {"address_line_1": "1", "address_line_2": None, "city": "C", "state": None}
    return {
        **address,
        "names": [],
        "attempts": [],
        "periods": [],
        **{key: [] for key in ("ids", "user_ids", "actors", "reasons", "times")},
        **dict.fromkeys(("idle_lifetime", "session_lifetime", "lifetime"), timedelta(days=1)),
        **dict.fromkeys(("password_hash", "old_hash", "new_hash"), "!"),
        "user_id": user_id,
        "email": email,
        "digest": digest,
        "new_digest": b"\0" * 32,
        "session_id": session_id,
        "kept_id": None,
        "actor": None,
        "address_id": address_id,
        "address_type": "shipping",
        "is_default": False,
        "first_name": "A",
        "last_name": "B",
        "postal_code": "1",
        "country_code": "DE",
        "role": "customer",
        "reason": "none",
        "since": datetime.now(UTC),
        "most": 10,
    }


@pytest.mark.parametrize("name", sorted({*QUERIES} - READS_ALL))
def test_no_query_reads_a_whole_table(
    explain: Explain, values: Mapping[str, Any], name: str
) -> None:
    for plan in explain(QUERIES[name], values):
        assert plan.scanned <= SMALL, plan.text


def test_a_sign_in_finds_the_account_by_its_unique_index(
    explain: Explain, values: Mapping[str, Any]
) -> None:
    for name in ("find_credentials", "request_password_reset"):
        for plan in explain(QUERIES[name], values):
            assert "users_email_key" in plan.indexes, plan.text


def test_a_refresh_finds_the_session_by_its_token(
    explain: Explain, values: Mapping[str, Any]
) -> None:
    for plan in explain(QUERIES["rotate_session"], values):
        assert "user_sessions_refresh_token_hash_key" in plan.indexes, plan.text
