"""What is encrypted comes back with its key alone, whole, or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopflow import settings as settings_module
from shopflow.backup import BackupError
from shopflow.backup.encryption import Key, key_of, new_key
from shopflow.errors import ConfigurationError

KEY = Key(new_key())
# age's own chunks are 64 KiB, and the last one closes the file.
WHOLE = b"".join(KEY.encrypt(iter([b"a" * 100_000, b"b" * 100_000])))


def decrypted(key: Key, content: bytes) -> bytes:
    return b"".join(key.decrypt(iter([content]), "wal/one"))


@given(chunks=st.lists(st.binary(min_size=1, max_size=200_000), max_size=5))
def test_any_content_comes_back(chunks: list[bytes]) -> None:
    content = b"".join(chunks)
    encrypted = b"".join(KEY.encrypt(iter(chunks)))
    assert b"".join(KEY.decrypt(iter([encrypted]), "any")) == content
    assert decrypted(KEY, KEY.encrypted(content)) == content
    assert len(content) < 32 or content not in encrypted


def test_another_key_is_told() -> None:
    with pytest.raises(BackupError, match=r"wal/one was encrypted with another key.*KEY_FILE"):
        decrypted(Key(new_key()), WHOLE)


@pytest.mark.parametrize(
    "damaged",
    [
        WHOLE[:-1],
        WHOLE[: len(WHOLE) // 2],
        WHOLE[:50],
        b"",
        b"never encrypted",
        WHOLE[:100_000] + bytes([WHOLE[100_000] ^ 1]) + WHOLE[100_001:],
    ],
    # The content is another in each of pytest's workers.
    ids=["last byte", "half", "header", "empty", "plain", "changed"],
)
def test_what_was_changed_or_cut_is_refused(damaged: bytes) -> None:
    with pytest.raises(BackupError, match="wal/one is damaged"):
        decrypted(KEY, damaged)


def test_what_the_content_raises_passes_through() -> None:
    def failing() -> Iterator[bytes]:
        yield WHOLE[:100_000]
        raise KeyError("mine")

    for work in (KEY.encrypt(failing()), KEY.decrypt(failing(), "any")):
        with pytest.raises(KeyError, match="mine"):
            list(work)


def test_content_that_nobody_reads_to_its_end_is_let_go() -> None:
    read = 0

    def content() -> Iterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 1
            yield b"a" * 1024 * 1024

    work = KEY.encrypt(content())
    next(work)
    # Closes the generator, and with it the pipe.
    del work
    assert read < 100


def test_the_key_is_given_or_stands_in_a_file_as_age_writes_it(tmp_path: Path) -> None:
    key = new_key()
    file = tmp_path / "key"
    file.write_text(f"# created: today\n{key}\n")
    for name, value in (("KEY", key), ("KEY_FILE", str(file))):
        found = key_of(settings_module.load({f"SHOPFLOW_BACKUP_{name}": value}))
        assert found is not None
        assert found.text() == key
        assert key not in repr(found)
    assert key_of(settings_module.load({})) is None


@pytest.mark.parametrize("content", [None, "", "one\ntwo\n", "AGE-SECRET-KEY-1HUSH"])
def test_a_file_without_a_key_is_refused_and_not_shown(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError) as refused:
        key_of(settings_module.load({}, backup_key_file=str(file)))
    assert "HUSH" not in str(refused.value)


def test_no_key_is_ever_shown() -> None:
    key = new_key()
    settings = settings_module.load({"SHOPFLOW_BACKUP_KEY": key})
    assert settings.shown()["backup_key"] == ("set", "environment: SHOPFLOW_BACKUP_KEY")
    assert key not in repr(settings)
    with pytest.raises(ConfigurationError, match="backup_key") as refused:
        settings_module.load({"SHOPFLOW_BACKUP_KEY": "a-bad-key"})
    assert "a-bad-key" not in str(refused.value)
