"""The settings: which source wins, what is refused, and that no secret is ever shown."""

from collections.abc import Mapping
from pathlib import Path
from typing import get_type_hints

import pytest

from shopflow.errors import ConfigurationError
from shopflow.settings import Settings, load, without_password

URL = "postgresql://me:hush@db.example/shop"

EXAMPLES = {
    "backup_url": "s3://bucket/some/prefix",
    "backup_key": "AGE-SECRET-KEY-1HUSH",
    "backup_storage_class": "STANDARD_IA",
    "backup_archive_storage_class": "DEEP_ARCHIVE",
    "backup_full_at": "23:30",
    "backup_archive_at": "Monday 04:00",
    "environment": "staging",
    "database_url": URL,
    "schema": "s",
    "port": "6000",
    "currency_code": "EUR",
}


def test_the_pool_has_the_specifications_numbers() -> None:
    found = {
        name: (settings.pool_max_size, settings.pool_max_idle)
        for name in ("development", "staging", "production")
        for settings in [load({"SHOPFLOW_ENVIRONMENT": name})]
    }
    assert found == {"development": (5, 10), "staging": (10, 30), "production": (20, 30)}
    assert load({}).pool_timeout == 2
    assert load({}).pool_max_uses == 7500


def test_an_argument_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "shopflow.toml"
    file.write_text('schema = "a"\nport = 6001\nprocesses = 3\n')
    environ = {"SHOPFLOW_SCHEMA": "b", "SHOPFLOW_PORT": "6002"}
    settings = load(environ, file=file, schema="c")
    assert (settings.schema, settings.port, settings.processes) == ("c", 6002, 3)
    shown = settings.shown()
    assert shown["schema"] == ("c", "argument")
    assert shown["port"] == ("6002", "environment: SHOPFLOW_PORT")
    assert shown["processes"] == ("3", f"file: {file}")
    assert shown["lock_timeout"] == ("5.0", "default")


def test_the_file_lies_here_or_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load({}).processes == 1
    (tmp_path / "shopflow.toml").write_text("processes = 4\n")
    (tmp_path / "other.toml").write_text("processes = 5\n")
    assert load({}).processes == 4
    assert load({"SHOPFLOW_CONFIG": "other.toml"}).processes == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("schema = \n", r"shopflow.toml is not TOML"),
        ("shcema = 'x'\n", r"unknown setting: shcema \(file: .*shopflow\.toml\)"),
        ("[server]\nport = 6000\n", r"shopflow\.toml: \[server\] is a table, .* top level"),
        ("[home]\nx = 1\n", r"shopflow\.toml: \[home\] is a table"),
        ("processes = 'many'\n", r"processes \(file: .*\): must be a whole number, not 'many'"),
    ],
)
def test_a_file_that_cannot_work_is_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "shopflow.toml"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        load({}, file=file)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SHOPFLOW_DATABSE_URL", "SHOPFLOW_DATABASE_URL"),
        ("SHOPFLOW_DATABASE_URLS", "SHOPFLOW_DATABASE_URL"),
        ("SHOPFLOW_HOEM", "SHOPFLOW_HOME"),
        ("SHOPFLOW_PRT", "SHOPFLOW_PORT"),
        ("SHOPFLOW_SHEMA", "SHOPFLOW_SCHEMA"),
        ("SHOPFLOW_CONFG", "SHOPFLOW_CONFIG"),
        ("SHOPFLOW_POOL_SIZE", "SHOPFLOW_POOL_MAX_SIZE"),
    ],
)
def test_a_misspelt_variable_is_refused(name: str, meant: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load({name: URL})
    assert f"{name} in the environment is no setting; if {meant} is meant" in str(refused.value)
    assert "hush" not in str(refused.value)
    assert load({name: ""}).embedded


@pytest.mark.parametrize(
    "name",
    [
        # What Kubernetes sets for services named shopflow and shopflow-database.
        "SHOPFLOW_SERVICE_HOST",
        "SHOPFLOW_SERVICE_PORT",
        "SHOPFLOW_PORT_5432_TCP",
        "SHOPFLOW_PORT_5432_TCP_ADDR",
        "SHOPFLOW_PORT_5432_TCP_PROTO",
        "SHOPFLOW_DATABASE_PORT",
        "SHOPFLOW_DATABASE_SERVICE_HOST",
        "SHOPFLOW_TOKEN",
        "DATABASE_URLS",
    ],
)
def test_a_variable_that_is_somebody_elses_is_ignored(name: str) -> None:
    assert load({name: "5"}) == load({})


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*none.toml: No such file"):
        load({"SHOPFLOW_CONFIG": str(tmp_path / "none.toml")})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "test"),
        ("SCHEMA", "Shop"),
        ("SCHEMA", "pg_shop"),
        ("SCHEMA", 'a"b'),
        ("SCHEMA", "a" * 51),
        ("PORT", "80"),
        ("PORT", "65536"),
        ("PORT", "eighty"),
        ("PROCESSES", "0"),
        ("POOL_MAX_SIZE", "2.5"),
        ("POOL_TIMEOUT", "nan"),
        ("STATEMENT_TIMEOUT", "-1"),
        ("LOCK_TIMEOUT", "inf"),
        ("SERVER_USER", " "),
        ("BACKUP_FULL_AT", "24:00"),
        ("BACKUP_ARCHIVE_AT", "someday 00:00"),
        ("BACKUP_ARCHIVE_AT", "sunday"),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load({f"SHOPFLOW_{name}": value})
    assert name.lower() in str(refused.value)
    assert f"SHOPFLOW_{name}" in str(refused.value)
    assert repr(value) in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "embedded", "source"),
    [
        ({}, True, "default"),
        ({"SHOPFLOW_DATABASE_URL": URL}, False, "environment: SHOPFLOW_DATABASE_URL"),
        ({"DATABASE_URL": URL}, False, "environment: DATABASE_URL"),
        (
            {"SHOPFLOW_DATABASE_URL": URL, "DATABASE_URL": "postgres://other/x"},
            False,
            "environment: SHOPFLOW_DATABASE_URL",
        ),
        ({"PGHOST": "db"}, False, "environment: PGHOST"),
        ({"PGSERVICE": "shop"}, False, "environment: PGSERVICE"),
        # These say how to connect, not where to.
        ({"PGPASSWORD": "hush", "PGUSER": "me", "PGOPTIONS": "-c jit=on"}, True, "default"),
    ],
)
def test_what_says_which_server(environ: Mapping[str, str], embedded: bool, source: str) -> None:
    settings = load(environ)
    assert settings.embedded is embedded
    assert settings.shown()["database_url"][1] == source
    if "SHOPFLOW_DATABASE_URL" in environ:
        assert settings.database_url == URL


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (URL, "postgresql://me@db.example/shop"),
        ("postgresql://me:hu%40sh@a:1,b:2/shop?sslmode=require", None),
        ("postgresql://db/shop?user=me&password=hush", "postgresql://db/shop?user=me"),
        ("postgresql://db/shop?sslpassword=hush", "postgresql://db/shop"),
        ("postgresql://db/shop", "postgresql://db/shop"),
        ("postgresql:///shop?host=/run/postgresql", "postgresql:///shop?host=/run/postgresql"),
        ("postgresql://me:?hush#&/hush@db/shop", "postgresql://me@db/shop"),
        ("postgresql://me:hush#1@db/shop?a=b@c", "postgresql://me@db/shop?a=b@c"),
        ("postgresql://db/shop?password=hush&user=me", "postgresql://db/shop?user=me"),
        ("postgresql://[::1]:5432/shop?user=a@b", "postgresql://[::1]:5432/shop?user=a@b"),
        ("postgresql://db:5432/shop?user=a@b", "postgresql://db:5432/shop?user=a@b"),
        ("postgresql://me:hush@[::1]:5432/shop", "postgresql://me@[::1]:5432/shop"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str | None) -> None:
    expected = shown or "postgresql://me@a:1,b:2/shop?sslmode=require"
    settings = load({"DATABASE_URL": url})
    assert settings.database_url == url
    assert without_password(url) == expected
    assert settings.shown()["database_url"][0] == expected
    for text in (repr(settings), str(settings.shown())):
        assert "hush" not in text
        assert "hu%40sh" not in text


@pytest.mark.parametrize("url", ["mysql://me:hush@db/x", "me:hush@db", "host=db password=hush"])
def test_a_url_that_cannot_work_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="must be a URL such as postgresql://") as refused:
        load({"DATABASE_URL": url})
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("foo-hush", r"must be a URL such as postgresql://user@host/database$"),
        ("postgresql+asyncpg://me:hush@db/x", r"\+asyncpg is SQLAlchemy's and has to go$"),
        ("postgres+psycopg://me:hush@db/x", r"begin with postgres://; \+psycopg is SQLAlchemy's"),
        ("postgresql://me:hush@hush@db/x", r"more than one @ .* percent-encoded, @ as %40$"),
        ("postgresql://me:hush@a@db", r"more than one @"),
        ("postgresql://me:hush@a?hush@db/x", r"more than one @"),
        ("postgresql://me:hu@sh@a:1,b:2/x", r"more than one @"),
    ],
)
def test_a_url_that_libpq_would_misread_is_explained(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        load({"SHOPFLOW_DATABASE_URL": url})
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hu%40sh@a:1,b:2,[::1]:3/x?target_session_attrs=any",
        "postgresql://me@db?options=a@b",
        "postgresql://me@db/x?user=a@b@c",
        "postgresql://@/x",
    ],
)
def test_an_at_sign_that_libpq_reads_is_kept(url: str) -> None:
    assert load({"DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize(
    "url",
    ["/mnt/backups", "file://host/mnt", "file:///", "s3://", "s3://Capitals", "s3://a-bucket//a"],
)
def test_a_store_that_is_neither_a_directory_nor_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="backup_url"):
        load({"SHOPFLOW_BACKUP_URL": url})


def test_a_key_in_the_stores_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="AWS_ACCESS_KEY_ID") as refused:
        load({"SHOPFLOW_BACKUP_URL": "s3://KEYID:hush@a-bucket/prefix"})
    assert "hush" not in str(refused.value)


def test_a_home_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert load({"SHOPFLOW_HOME": "data"}).home == tmp_path / "data"
    assert load({"SHOPFLOW_HOME": "~/data"}).home == Path("/home/me/data")


def test_every_setting_can_be_set() -> None:
    # The sources are about the others, and the PG* variables set the other one.
    settable = get_type_hints(Settings).keys() - {"sources", "server_from_pg_variables"}
    for field in settable:
        name = f"SHOPFLOW_{field.upper()}"
        value = EXAMPLES.get(field, "5")
        assert load({name: value}).shown()[field][1] == f"environment: {name}"
