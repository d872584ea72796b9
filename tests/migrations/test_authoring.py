from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from shopflow.errors import InvalidInputError, MigrationError
from shopflow.migrations import authoring, runner
from shopflow.migrations.files import VERSIONS, Files, locations_of
from shopflow.settings import Settings, load

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path: Path) -> Settings:
    (tmp_path / "own").mkdir()
    return load({}, migrations=tmp_path / "own")


def test_the_first_of_a_shop_begins_a_branch_after_ours(shop: Settings) -> None:
    path = runner.new(shop, "Create the gift cards table.", branch="boutique", now=NOW)
    assert path.name == "20300102030405_create_the_gift_cards_table.py"
    assert path.parent == shop.migrations
    (script,) = [it for it in Files(locations_of(shop)).all() if it.path == str(path)]
    assert script.revision == "20300102030405"
    assert script.down_revision is None
    assert script.branch_labels == {"boutique"}
    assert script.dependencies == Files([VERSIONS]).all()[-1].revision
    assert script.doc == "Create the gift cards table."


def test_the_next_one_follows_even_within_the_same_second(shop: Settings) -> None:
    runner.new(shop, "one", now=NOW)
    path = runner.new(shop, 'two, "quoted"', now=NOW)
    assert path.name == "20300102030406_two_quoted.py"
    (script,) = [it for it in Files(locations_of(shop)).all() if it.path == str(path)]
    assert script.down_revision == "20300102030405"
    assert script.dependencies is None


def test_only_an_explicit_flag_writes_among_ours(
    tmp_path: Path, shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "src" / "shopflow" / "migrations" / "versions"
    copy.mkdir(parents=True)
    monkeypatch.setattr(authoring, "VERSIONS", copy)
    with pytest.raises(MigrationError, match="--shopflow is for a checkout"):
        runner.new(shop, "one", shopflow=True)
    (tmp_path / "pyproject.toml").touch()
    with pytest.raises(MigrationError, match=r"set SHOPFLOW_MIGRATIONS .* --directory"):
        runner.new(load({}), "one")
    with pytest.raises(MigrationError, match="not both"):
        runner.new(shop, "one", shopflow=True, directory=tmp_path)
    assert list(copy.iterdir()) == []
    first = runner.new(shop, "one", shopflow=True, now=NOW)
    second = runner.new(load({}), "two", shopflow=True, now=NOW)
    assert [first.parent, second.parent] == [copy, copy]


@pytest.mark.parametrize("description", ["", "...", "two\nlines", 'three """ quotes'])
def test_a_description_that_is_no_name_is_refused(shop: Settings, description: str) -> None:
    with pytest.raises(InvalidInputError, match="description"):
        runner.new(shop, description)


def test_a_branch_that_is_no_name_is_refused(shop: Settings) -> None:
    with pytest.raises(InvalidInputError, match="branch"):
        runner.new(shop, "one", branch="Own Tables")


def test_a_directory_that_is_not_there_is_named(shop: Settings) -> None:
    elsewhere = msgspec.structs.replace(shop, migrations=Path("/nowhere/at/all"))
    with pytest.raises(MigrationError, match="/nowhere/at/all"):
        runner.status(elsewhere)
