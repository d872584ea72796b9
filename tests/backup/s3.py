"""A bucket of moto's, for the tests of a directory."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

BUCKET = "the-bucket"
SECRET = "hush-hush-secret"


class Peer:
    """S3 as the tests see it."""

    def __init__(self, endpoint: str) -> None:
        self.url = f"s3://{BUCKET}/some/prefix"
        self.environ = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "AKIAOFTESTS",
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }
        self._endpoint = endpoint

    @contextmanager
    def failing(self, fault: str) -> Iterator[None]:
        """Err from now on: `error`, `denied`, `slow` or `second-part`."""
        self._put(f"_fault/{fault}")
        try:
            yield
        finally:
            self._put("_fault/none")

    def forget(self) -> None:
        """Begin the log anew."""
        self._put("_fault/none")

    def log(self) -> list[list[str]]:
        """Return the requests: method, path, query, storage class and length."""
        with urlopen(f"{self._endpoint}/_log") as answer:  # noqa: S310 ours
            found: list[list[str]] = json.loads(answer.read())
        return found

    def unfinished_uploads(self) -> bool:
        with urlopen(f"{self._endpoint}/{BUCKET}?uploads") as answer:  # noqa: S310 ours
            return b"<UploadId>" in answer.read()

    def make_bucket(self, name: str) -> None:
        self._put(name)

    def _put(self, path: str) -> None:
        with urlopen(Request(f"{self._endpoint}/{path}", method="PUT")):  # noqa: S310 ours
            pass


@contextmanager
def peer() -> Iterator[Peer]:
    """S3 for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.backup.s3_peer"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = Peer(f"http://127.0.0.1:{int(process.stdout.readline())}")
            found.make_bucket(BUCKET)
            yield found
        finally:
            process.kill()
