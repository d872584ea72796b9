import psycopg
import pytest

from shopflow.errors import MigrationError
from shopflow.migrations import runner
from shopflow.migrations.loss import Loss
from shopflow.settings import Settings
from tests.migrations.conftest import Versions, values


class Answer:
    """Says yes or no, and keeps what it was asked."""

    def __init__(self, answer: bool) -> None:
        self.answer = answer
        self.losses: list[Loss] = []

    def __call__(self, loss: Loss) -> bool:
        self.losses.append(loss)
        return self.answer


@pytest.fixture
def shop(
    empty_settings: Settings, versions: Versions, database: psycopg.Connection
) -> psycopg.Connection:
    versions.add("CREATE TABLE one (id int, note text)", "DROP TABLE one")
    versions.add("ALTER TABLE one ADD price int", "ALTER TABLE one DROP price")
    versions.add(
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS one_id ON one (id)",
        "DROP INDEX CONCURRENTLY one_id",
        autocommit=True,
    )
    versions.add("UPDATE one SET note = 'x'", "DELETE FROM one WHERE id > 3")
    runner.up(empty_settings, locations=[versions.directory])
    database.execute("INSERT INTO one SELECT g, 'n', nullif(g, 1) FROM generate_series(1, 5) AS g")
    return database


def test_one_step_shows_the_loss_and_does_nothing_when_refused(
    empty_settings: Settings, versions: Versions, shop: psycopg.Connection
) -> None:
    no = Answer(False)
    assert runner.down(empty_settings, confirm=no, locations=[versions.directory]) == []
    assert no.losses == [Loss(revisions=(versions.revisions[3],), changed_rows={"one": 2})]
    assert values(shop, "SELECT count(*) FROM one") == [5]
    assert values(shop, "SELECT version_num FROM alembic_version") == [versions.revisions[3]]


def test_the_whole_way_names_tables_columns_and_rows(
    empty_settings: Settings, versions: Versions, shop: psycopg.Connection
) -> None:
    to_first, to_base = Answer(False), Answer(True)
    runner.down(
        empty_settings, confirm=to_first, to=versions.revisions[0], locations=[versions.directory]
    )
    assert to_first.losses[0].columns == {"one.price": 4}
    assert to_first.losses[0].others == ("index one_id",)
    assert to_first.losses[0].tables == {}
    done = runner.down(empty_settings, confirm=to_base, to="base", locations=[versions.directory])
    assert done == versions.revisions[::-1]
    assert to_base.losses[0].tables == {"one": 5}
    assert values(shop, "SELECT to_regclass('one')") == [None]
    assert values(shop, "SELECT count(*) FROM alembic_version, migration_checksums") == [0]


def test_one_step_after_another_goes_back_in_the_order_of_application(
    empty_settings: Settings, versions: Versions, shop: psycopg.Connection
) -> None:
    yes = Answer(True)
    for revision in versions.revisions[::-1]:
        done = runner.down(empty_settings, confirm=yes, locations=[versions.directory])
        assert done == [revision]
    assert runner.down(empty_settings, confirm=yes, locations=[versions.directory]) == []


def test_a_step_that_no_transaction_can_try_shows_its_sql_instead(
    empty_settings: Settings, versions: Versions, shop: psycopg.Connection
) -> None:
    versions.add("SELECT 1", "VACUUM one", autocommit=True)
    runner.up(empty_settings, locations=[versions.directory])
    answer = Answer(True)
    runner.down(empty_settings, confirm=answer, locations=[versions.directory])
    (loss,) = answer.losses
    assert loss.unknown
    assert "transaction block" in loss.unknown
    assert loss.sql
    assert "VACUUM one" in loss.sql


def test_without_a_record_of_the_last_one_it_must_be_named(
    empty_settings: Settings, versions: Versions, shop: psycopg.Connection
) -> None:
    shop.execute("DELETE FROM migration_checksums")
    with pytest.raises(MigrationError, match="--to"):
        runner.down(empty_settings, confirm=Answer(True), locations=[versions.directory])


def test_a_branch_that_is_not_here_is_named_though_another_was_applied_last(
    empty_settings: Settings, versions: Versions, shop: psycopg.Connection
) -> None:
    shop.execute("INSERT INTO alembic_version VALUES ('20990101000000')")
    with pytest.raises(MigrationError, match="20990101000000, which is not among the migrations"):
        runner.down(empty_settings, confirm=Answer(True), locations=[versions.directory])
