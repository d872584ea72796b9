"""A store keeps an object whole or not at all, and says what it refused, without a secret."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shopflow import settings as settings_module
from shopflow.backup import BackupError, Store, store
from shopflow.backup.store import PART
from tests.backup.s3 import SECRET, Peer


def opened(url: str) -> Store:
    return Store(settings_module.load({}, backup_url=url))


@pytest.fixture
def bucket(s3: Peer) -> Store:
    return opened(s3.url)


@pytest.fixture(params=["directory", "bucket"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "bucket":
        found = request.getfixturevalue("bucket")
        assert isinstance(found, Store)
        return found
    return opened(f"file://{tmp_path}/store")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "RETRIES", 1)


def test_what_is_put_is_there_and_goes(either: Store) -> None:
    either.put("here/some", iter([b"a" * PART, b"b" * 10]), storage_class="STANDARD_IA")
    assert b"".join(either.get("here/some")) == b"a" * PART + b"b" * 10
    (found,) = either.list_objects("here")
    assert (found.path, found.size) == ("here/some", PART + 10)
    assert either.names("here") == ["some"]
    either.delete("here/some")
    either.delete("here/some")
    assert either.names("here") == []
    with pytest.raises(BackupError, match="here/some"):
        list(either.get("here/some"))


def test_a_new_object_never_replaces_another(either: Store) -> None:
    assert either.put_new("new/one", b"first")
    assert not either.put_new("new/one", b"second")
    assert b"".join(either.get("new/one")) == b"first"


def test_content_that_fails_half_way_leaves_nothing(either: Store) -> None:
    def content() -> Iterator[bytes]:
        yield b"a" * (2 * PART)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        either.put("half/way", content())
    assert either.list_objects("half") == []


def test_an_upload_goes_in_parts_with_its_storage_class(s3: Peer, bucket: Store) -> None:
    s3.forget()
    bucket.put("parts/one", iter([b"a" * PART] * 3), storage_class="GLACIER_IR", expected=PART)
    requests = [each for each in s3.log() if each[1].endswith("parts/one")]
    assert [each[0] for each in requests] == ["POST", "PUT", "PUT", "PUT", "POST"]
    assert requests[0][3] == "GLACIER_IR"
    s3.forget()
    bucket.put("parts/two", iter([b"a" * PART] * 3), expected=2 * PART * store.MOST_PARTS)
    lengths = [int(each[4]) for each in s3.log() if each[0] == "PUT"]
    assert sorted(lengths) == [PART, 2 * PART]


def test_a_part_that_is_refused_leaves_no_upload(s3: Peer, bucket: Store, impatient: None) -> None:
    with s3.failing("second-part"), pytest.raises(BackupError, match=r"refused cut/off.*500"):
        opened(s3.url).put("cut/off", iter([b"a" * PART] * 3))
    assert bucket.names("cut") == []
    assert not s3.unfinished_uploads()


@pytest.mark.parametrize(
    ("fault", "said"), [("error", "500"), ("denied", "AccessDenied"), ("slow", "error sending")]
)
def test_an_error_of_s3_names_the_object_and_no_secret(
    fault: str, said: str, s3: Peer, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "slow":
        monkeypatch.setattr(store, "PATIENCE", timedelta(seconds=0.2))
    asked = opened(s3.url)
    with s3.failing(fault):
        with pytest.raises(BackupError) as put:
            asked.put_new("faulty/one", b"1")
        with pytest.raises(BackupError) as got:
            list(asked.get("faulty/one"))
        with pytest.raises(BackupError) as listed:
            asked.names("faulty")
    for error in (put, got):
        assert "faulty/one" in str(error.value)
    for error in (put, got, listed):
        assert s3.url in str(error.value)
        assert said in str(error.value)
        assert SECRET not in str(error.value)
        assert "AKIAOFTESTS" not in str(error.value)


def test_a_bucket_that_is_not_there_is_named(s3: Peer) -> None:
    with pytest.raises(BackupError, match=r"s3://no-such-bucket refused one.*NoSuchBucket"):
        opened("s3://no-such-bucket").put_new("one", b"1")


def test_http_has_to_be_allowed(s3: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(BackupError, match="AWS_ALLOW_HTTP"):
        opened(s3.url).put_new("one", b"1")


def test_what_a_killed_process_left_is_listed_and_can_be_removed(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
import time
from shopflow import settings
from shopflow.backup import Store
def content():
    yield bytes({3 * PART})
    print("written", flush=True)
    time.sleep(60)
Store(settings.load({{}}, backup_url="file://{tmp_path}/store")).put("base/one", content())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    found = opened(f"file://{tmp_path}/store")
    assert found.names("base") == []
    (left,) = found.list_objects("base")
    assert left.path.startswith("base/one#")
    found.delete(left.path)
    assert found.list_objects("base") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk has to be mounted")
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(small)]
    if subprocess.run(mounted, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        full = opened(f"file://{small}")
        with pytest.raises(BackupError, match=r"refused base/one.*[Nn]o space left"):
            full.put("base/one", iter([b"a" * 1024 * 1024] * 8))
        assert full.list_objects("base") == []
    finally:
        subprocess.run(["umount", small], check=True)
