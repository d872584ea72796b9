"""The signature, checked by code that shares nothing with ours."""

import base64
import subprocess
from itertools import pairwise

import pytest

from shopflow.errors import InvalidInputError
from shopflow.events import backoff, consumers, signing, types
from shopflow.events.models import NewWebhook

BODY = b'{"type":"order.placed"}'


def test_it_is_what_openssl_computes() -> None:
    secret = signing.new_secret()
    header = signing.signatures([secret], "id-1", 1700000000, BODY)
    key = base64.b64decode(secret.removeprefix("whsec_")).hex()
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key}", "-binary"],
        input=b"id-1.1700000000." + BODY,
        capture_output=True,
        check=True,
    )
    assert header == f"v1,{base64.b64encode(done.stdout).decode()}"


def test_the_example_of_the_standard() -> None:
    """From the documentation of Standard Webhooks."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    header = signing.signatures([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert header == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_takes_either_secret_and_nothing_else() -> None:
    new, old = signing.new_secret(), signing.new_secret()
    headers = {
        "webhook-id": "id-1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": signing.signatures([new, old], "id-1", 1700000000, BODY),
    }
    for secret in (new, old):
        signing.verify(secret, headers, BODY, now=1700000100.0)
    refused = [
        (signing.new_secret(), headers, BODY, 1700000000.0),
        (new, headers, BODY + b" ", 1700000000.0),
        (new, headers | {"webhook-id": "id-2"}, BODY, 1700000000.0),
        (new, headers | {"webhook-timestamp": "1700000001"}, BODY, 1700000000.0),
        (new, headers | {"webhook-timestamp": "x"}, BODY, 1700000000.0),
        (new, headers, BODY, 1700000301.0),
        (new, headers, BODY, 1699999699.0),
        (new, {}, BODY, 1700000000.0),
    ]
    for secret, given, body, now in refused:
        with pytest.raises(signing.SignatureError):
            signing.verify(secret, given, body, now=now)


def test_pauses_grow_and_end() -> None:
    pauses = [backoff.pause_after(attempt, 0.5) for attempt in range(1, backoff.MOST_ATTEMPTS)]
    assert pauses[:4] == [5.0, 20.0, 80.0, 320.0]
    known = [pause for pause in pauses if pause is not None]
    assert len(known) == 11
    assert all(a <= b for a, b in pairwise(known))
    assert known[-1] == 6 * 3600
    assert backoff.pause_after(backoff.MOST_ATTEMPTS, 0.5) is None
    assert (backoff.pause_after(1, 0.0), backoff.pause_after(1, 1.0)) == (3.75, 6.25)


def test_a_receiver_may_ask_for_more_but_not_for_less_or_for_ever() -> None:
    assert backoff.pause_after(1, 0.5, 60.0) == 60.0
    assert backoff.pause_after(3, 0.5, 1.0) == 80.0
    assert backoff.pause_after(1, 0.5, 1e9) == 24 * 3600
    assert backoff.pause_after(backoff.MOST_ATTEMPTS, 0.5, 60.0) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hook.example",
        "ftp://hook.example/",
        "http://",
        "https://hook.example/a b",
        "http://[x",
        "https://hook.example/" + "x" * 2000,
        "https://hook.example:port/",
        "https://hö.example/",
    ],
)
def test_a_url_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="url"):
        consumers._host_of(url)


def test_a_password_in_a_url_is_refused_and_not_shown() -> None:
    with pytest.raises(InvalidInputError, match="must not hold") as refused:
        consumers._host_of("https://ann:hunter2@hook.example/")
    assert "hunter2" not in str(refused.value)


def test_a_type_that_nothing_writes_is_refused_with_the_one_that_is_meant() -> None:
    with pytest.raises(InvalidInputError, match=r"is order\.placed meant"):
        types.checked_event_types(["order.palced"])
    with pytest.raises(InvalidInputError, match="at least one"):
        types.checked_event_types([])
    assert types.checked_event_types(["order.*", "order.*", "*"]) == ["order.*", "*"]


def test_a_secret_is_in_no_repr() -> None:
    made = NewWebhook("a", "https://a.example", ["*"], signing.new_secret())
    assert made.secret not in repr(made)
