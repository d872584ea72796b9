"""A shop's own migrations beside ShopFlow's: the how-to page, run as it stands, and its edges."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from shopflow.errors import MigrationError
from shopflow.migrations import env, runner, state
from shopflow.migrations.files import VERSIONS, Files
from shopflow.settings import Settings

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
EXAMPLE = HOWTO / "own-tables"
TABLE, INDEX = "20260105120000", "20260106090000"
ORDERS = "20240115100400"


@pytest.fixture
def own(empty_settings: Settings) -> Settings:
    return msgspec.structs.replace(empty_settings, migrations=EXAMPLE)


def heads(settings: Settings) -> set[str]:
    with env.connection(settings, application_name="test") as connection:
        return set(state.read(connection, settings.schema).heads)


def test_the_page_shows_the_example(tmp_path: Path) -> None:
    page = (HOWTO / "own-tables.md").read_text()
    for name, shown in re.findall(
        r"<!-- own-tables/(\S+) -->\n```python\n(.*?)```", page, re.DOTALL
    ):
        assert shown == (EXAMPLE / name).read_text()
    assert "<!-- own-tables/" in page


@pytest.mark.acceptance
def test_the_commands_of_the_page_work(settings: Settings, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "own-tables", ignore=shutil.ignore_patterns("__pycache__"))
    script = "\n".join(
        re.findall(r"```sh\n(.*?)```", (HOWTO / "own-tables.md").read_text(), re.DOTALL)
    )
    assert settings.database_url
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SHOPFLOW_HOME": str(settings.home),
        "SHOPFLOW_DATABASE_URL": settings.database_url,
    }
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=tmp_path,  # as docs/howto, which the page says to work in
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{INDEX}\tpending\tAdd the index of gift cards by order" in done.stdout
    assert "2 applied" in done.stdout
    assert "\nclean\n" in done.stdout
    assert "index gift_cards_order_id" in done.stdout
    assert "1 taken back" in done.stdout
    assert re.search(r"^\d{14}_add_the_greeting_of_a_gift_card\.py$", done.stdout, re.MULTILINE)


def test_both_branches_go_up_and_the_newest_comes_down_first(own: Settings) -> None:
    applied = runner.up(own)
    assert applied.index(ORDERS) < applied.index(TABLE) < applied.index(INDEX)
    ours = Files([VERSIONS]).all()[-1].revision
    assert heads(own) == {INDEX, ours}
    assert runner.check(own).clean
    assert runner.down(own, confirm=lambda _: True) == [applied[-1]]


def test_a_branch_alone_goes_back(own: Settings) -> None:
    runner.up(own)
    assert runner.down(own, confirm=lambda _: True, to="shop@base") == [INDEX, TABLE]
    assert len(runner.status(own).pending) == 2
    assert runner.up(own, target="shop@head") == [TABLE, INDEX]


def test_shopflow_goes_on_beside_a_branch_that_depends_on_an_older_release(own: Settings) -> None:
    first = runner.up(own, target="shop@head")
    assert first[-2:] == [TABLE, INDEX]
    by_hand = runner.sql(own)
    assert "gift_cards" not in by_hand
    later = runner.up(own)
    assert later
    assert {*first, *later} == {script.revision for script in Files([VERSIONS, EXAMPLE]).all()}
    assert runner.check(own).clean


def test_what_ours_takes_with_it_goes_down_before(own: Settings) -> None:
    runner.up(own)
    done = runner.down(own, confirm=lambda _: True, to="shopflow@base")
    assert done.index(INDEX) < done.index(TABLE) < done.index(ORDERS)
    assert heads(own) == set()


def test_forgetting_where_they_are_is_told(own: Settings) -> None:
    runner.up(own)
    forgetful = msgspec.structs.replace(own, migrations=None)
    with pytest.raises(MigrationError, match="SHOPFLOW_MIGRATIONS"):
        runner.up(forgetful)


def test_without_them_their_tables_are_drift(settings: Settings) -> None:
    with env.connection(settings, application_name="test") as connection:
        connection.execute("CREATE TABLE gift_cards (id int)")
    (difference,) = runner.check(settings).drift
    assert str(difference) == "extra: table gift_cards"
