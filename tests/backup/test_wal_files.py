"""A WAL file in the store is the one that was archived first, and comes back whole or not at all."""

import gzip
from pathlib import Path

import pytest

from shopflow import settings as settings_module
from shopflow.backup import BackupError, Store
from shopflow.backup.encryption import Key, new_key
from shopflow.backup.wal_files import WalFiles
from tests.backup.s3 import Peer

SEGMENT = "000000010000000000000002"
CONTENT = b"wal" * 100_000
KEY = Key(new_key())


@pytest.fixture(params=["directory", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    url = f"file://{tmp_path}/store"
    if request.param == "bucket":
        s3: Peer = request.getfixturevalue("s3")
        url = f"{s3.url}/{tmp_path.name}".lower()
    return Store(settings_module.load({}, backup_url=url))


@pytest.mark.parametrize("key", [None, KEY])
def test_the_same_file_again_is_fine_and_another_of_its_name_is_refused(
    store: Store, key: Key | None
) -> None:
    files = WalFiles(store, key)
    for _ in range(2):
        files.push(SEGMENT, CONTENT)
    with pytest.raises(BackupError, match=f"another file of that name.*wal/{SEGMENT}"):
        files.push(SEGMENT, b"another")
    # Another process has to look first.
    assert WalFiles(store, key).fetch(SEGMENT) == CONTENT
    assert WalFiles(store, key).fetch("00000002.history") is None


def test_one_from_before_the_key_is_known_by_its_content(store: Store) -> None:
    WalFiles(store, None).push(SEGMENT, CONTENT)
    assert store.put_new("wal/000000010000000000000003.gz", gzip.compress(CONTENT))
    files = WalFiles(store, KEY)
    files.push(SEGMENT, CONTENT)
    files.push("000000010000000000000003", CONTENT)
    assert files.fetch("000000010000000000000003") == CONTENT
    with pytest.raises(BackupError, match="another file of that name"):
        files.push(SEGMENT, b"another")
    assert files.following(SEGMENT, 5) == ["000000010000000000000003"]
    assert len(store.names("wal")) == 2


@pytest.mark.parametrize("packed", [".zst", ".zst.age", ".gz"])
def test_what_is_cut_or_changed_is_not_taken_for_wal(packed: str, tmp_path: Path) -> None:
    settings = settings_module.load({}, backup_url=f"file://{tmp_path}/store")
    key = KEY if packed.endswith(".age") else None
    files, file = WalFiles(Store(settings), key), tmp_path / "store" / "wal" / f"{SEGMENT}{packed}"
    if packed == ".gz":
        Store(settings).put_new(f"wal/{file.name}", gzip.compress(CONTENT))
    else:
        files.push(SEGMENT, CONTENT)
    content = file.read_bytes()
    half = len(content) // 2
    for damaged in (
        content[:half],
        content[:-1],
        b"",
        content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :],
    ):
        file.write_bytes(damaged)
        with pytest.raises(BackupError, match=f"wal/{file.name}.* damaged"):
            files.fetch(SEGMENT)


def test_another_key_and_none_are_told(tmp_path: Path) -> None:
    settings = settings_module.load({}, backup_url=f"file://{tmp_path}/store")
    WalFiles(Store(settings), KEY).push(SEGMENT, CONTENT)
    with pytest.raises(BackupError, match="another key"):
        WalFiles(Store(settings), Key(new_key())).fetch(SEGMENT)
    with pytest.raises(BackupError, match="SHOPFLOW_BACKUP_KEY"):
        WalFiles(Store(settings), None).fetch(SEGMENT)
