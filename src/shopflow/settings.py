"""The configuration, read once into one frozen object: environment over file over default."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
import platformdirs

from shopflow.errors import ConfigurationError

Environment = Literal["development", "staging", "production"]
Source = str

# §5.2: connections and idle seconds by environment.
POOL_LIMITS: Mapping[Environment, tuple[int, float]] = {
    "development": (5, 10.0),
    "staging": (10, 30.0),
    "production": (20, 30.0),
}
SYSTEM_HOME = Path("/var/lib/shopflow")
# As libpq reads a URL: a password may hold ? and #, which end a host elsewhere. One with a bare
# slash libpq does not take, but no message about it may show it; what looks like a port stays.
PASSWORD = re.compile(r"(?<=://)([^:@/?\[]*):(?:[^/]*|(?!/|\d+(?:[/,?]|$)).*)@")
PASSWORD_PARAMETER = re.compile(r"(?<=[?&])(?:ssl)?password=[^&]*&?")
# libpq ends the password at the first @ and shows what follows as the host, or as a parameter.
UNQUOTED_PASSWORD = re.compile(r"[^/@]*@[^/@?]*(?:@|\?(?!\w+=)[^/]*@)")
SQLALCHEMY_URL = re.compile(r"(postgres(?:ql)?)(\+\w+)://")
# Near enough to be the same name misspelt: one letter too many, missing or in another place.
SAME_NAME = 0.9
# The roles of a shop are its schema's name and a suffix, and an identifier holds 63 bytes.
SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,49}")
# A century: longer than any shop, and within what PostgreSQL's times hold.
LONGEST_DAYS = 36_500
BACKUP_DIRECTORY = re.compile(r"file:///+[^/]")
BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[^/]+)*$")
STORAGE_CLASS = re.compile(r"[A-Z][A-Z_]*")
CURRENCY_CODE = re.compile(r"[A-Z]{3}")
TIME_OF_DAY = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set; each field is `SHOPFLOW_<FIELD>` in the environment.

    Times are in seconds. `database_url` None with `server_from_pg_variables` False means the
    embedded server in `home`. `migrations` is the directory of the shop's own migrations, None
    if it has none. `currency_code` is what the shop's prices are in (ISO 4217). Carts that nobody
    has changed for `guest_cart_days` or `user_cart_days`, and orders not paid
    `unpaid_order_minutes` after they were placed, are what a worker removes and cancels; 0 for
    never. Events and dead letters are kept for `event_days`, and for `delivered_event_days` that
    an event was delivered. Best-selling is what sold most in the last `best_selling_days`.
    `backup_url` is the directory, as file:///path, or the bucket, as s3://bucket/prefix, that
    backups and WAL go to; None for no backups. On S3, `backup_storage_class` is the storage class
    of full and incremental backups, None for the bucket's own, and `backup_archive_storage_class`
    that of archives. `backup_key`, or the only line of `backup_key_file`, is the age identity
    that backups and WAL are encrypted with; None for no encryption. A full backup is due every
    day at `backup_full_at` and kept `backup_full_days`, an archive every week at
    `backup_archive_at` (`never` for none) and kept `backup_archive_days`, an incremental one every
    `backup_incremental_hours` (0 for never); WAL is kept `backup_wal_days` (§7.1). Their times are
    in UTC.
    `backup_stream_directory` is where `shopflow backup stream` receives WAL as it is written, None
    for nowhere.
    """

    environment: Environment = "development"
    home: Path
    database_url: str | None = None
    server_from_pg_variables: bool = False
    schema: str = "shopflow"
    currency_code: str = "USD"
    database_role: str | None = None
    migrations: Path | None = None
    server_user: str = "shopflow"
    port: int | None = None
    processes: int = 1
    pool_max_size: int
    pool_max_idle: float
    pool_timeout: float = 2.0
    pool_max_uses: int = 7500
    application_name: str = "shopflow"
    statement_timeout: float = 30.0
    lock_timeout: float = 5.0
    idle_in_transaction_session_timeout: float = 60.0
    guest_cart_days: int = 30
    user_cart_days: int = 0
    unpaid_order_minutes: int = 1440
    best_selling_days: int = 90
    event_days: int = 30
    delivered_event_days: int = 7
    backup_url: str | None = None
    backup_storage_class: str | None = None
    backup_archive_storage_class: str = "GLACIER_IR"
    backup_key: str | None = None
    backup_key_file: Path | None = None
    backup_full_at: str = "02:00"
    backup_full_days: int = 30
    backup_wal_days: int = 7
    backup_incremental_hours: int = 0
    backup_archive_at: str = "sunday 00:00"
    backup_archive_days: int = 365
    backup_stream_directory: Path | None = None
    sources: Mapping[str, Source] = msgspec.field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        """Whether ShopFlow runs the server itself."""
        return self.database_url is None and not self.server_from_pg_variables

    @property
    def search_path(self) -> str:
        """Where unqualified names are looked up: the shop's schema, extensions, temporary tables.

        Temporary tables come last so that none can stand in for a table of the shop.
        """
        return f"{self.schema}, public, pg_temp"

    def shown(self) -> dict[str, tuple[str, Source]]:
        """Return each setting as text with where it came from, without a secret."""
        return {
            field: (_shown(field, getattr(self, field)), self.sources.get(field, "default"))
            for field in self.__struct_fields__
            if field not in {"sources", "server_from_pg_variables"}
        }

    def __repr__(self) -> str:
        """Show the settings as `shown` does, so that no log ever holds the password."""
        values = ", ".join(f"{key}={value}" for key, (value, _) in self.shown().items())
        return f"Settings({values})"


def without_password(url: str) -> str:
    """Return a connection URL with its password, wherever it stands, taken out."""
    return PASSWORD_PARAMETER.sub("", PASSWORD.sub(r"\1@", url)).rstrip("?&")


def load(
    environ: Mapping[str, str] | None = None, *, file: Path | None = None, **overrides: object
) -> Settings:
    """Read the settings from `overrides`, then the environment, then a TOML file, then defaults.

    Args:
        environ: the environment, by default this process's.
        file: the TOML file, by default `$SHOPFLOW_CONFIG` or `shopflow.toml` here, if there.
        overrides: values that win over everything, by field name.

    Raises:
        ConfigurationError: for an unknown key or a value that cannot work, naming both.
    """
    environ = os.environ if environ is None else environ
    given = _from_file(environ, file) | _from_environment(environ)
    given |= {key: (value, "argument") for key, value in overrides.items()}
    unknown = given.keys() - set(_PARSERS)
    if unknown:
        named = ", ".join(f"{key} ({given[key][1]})" for key in sorted(unknown))
        raise ConfigurationError(f"unknown setting: {named}")
    values = {
        key: _parsed(key, value, source)
        for key, (value, source) in given.items()
        if value is not None
    }
    sources = {key: given[key][1] for key in values}
    environment = values.get("environment", "development")
    max_size, max_idle = POOL_LIMITS[environment]
    for key, value in (("pool_max_size", max_size), ("pool_max_idle", max_idle)):
        if key not in values:
            values[key] = value
            sources[key] = f"default for {environment}"
    values.setdefault("home", _default_home())
    if "database_url" not in values:
        servers = [key for key in ("PGHOST", "PGHOSTADDR", "PGSERVICE") if environ.get(key)]
        if servers:
            values["server_from_pg_variables"] = True
            sources["database_url"] = f"environment: {', '.join(servers)}"
    return Settings(**values, sources=sources)


def _default_home() -> Path:
    # The server cannot run as root, and its own user cannot enter /root.
    if os.geteuid() == 0:
        return SYSTEM_HOME
    return Path(platformdirs.user_data_dir("shopflow"))


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[object, Source]]:
    _refuse_misspelt(environ)
    found: dict[str, tuple[object, Source]] = {}
    for field in _PARSERS:
        key = f"SHOPFLOW_{field.upper()}"
        if environ.get(key):
            found[field] = (environ[key], f"environment: {key}")
    if "database_url" not in found and environ.get("DATABASE_URL"):
        found["database_url"] = (environ["DATABASE_URL"], "environment: DATABASE_URL")
    return found


def _refuse_misspelt(environ: Mapping[str, str]) -> None:
    """Refuse a variable that is nearly a setting; others may be Kubernetes' or somebody else's."""
    known = {"SHOPFLOW_CONFIG", *(f"SHOPFLOW_{field.upper()}" for field in _PARSERS)}
    for name in sorted(environ.keys() - known):
        meant = get_close_matches(name, sorted(known), n=1, cutoff=SAME_NAME)
        if name.startswith("SHOPFLOW_") and environ[name] and meant:
            raise ConfigurationError(
                f"{name} in the environment is no setting; if {meant[0]} is meant, rename it,"
                " otherwise unset it"
            )


def _from_file(environ: Mapping[str, str], file: Path | None) -> dict[str, tuple[object, Source]]:
    named = file or (Path(environ["SHOPFLOW_CONFIG"]) if environ.get("SHOPFLOW_CONFIG") else None)
    path = named or Path("shopflow.toml")
    if named is None and not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    for key, value in content.items():
        if isinstance(value, dict):
            raise ConfigurationError(
                f"{path}: [{key}] is a table, and settings stand at the top level, in no table"
            )
    return {key: (value, f"file: {path}") for key, value in content.items()}


def _shown(field: str, value: object) -> str:
    if value is None:
        return "not set"
    if field == "backup_key":
        return "set"
    return without_password(str(value)) if field == "database_url" else str(value)


def _parsed(key: str, value: object, source: Source) -> Any:
    try:
        return _PARSERS[key](value)
    except (ValueError, TypeError) as error:
        shown = (
            ""
            if key in {"database_url", "backup_key"}
            else f", not {without_password(str(value))!r}"
        )
        raise ConfigurationError(f"{key} ({source}): {error}{shown}") from None


def _one_of_environments(value: object) -> Environment:
    names: tuple[Environment, ...] = get_args(Environment)
    for name in names:
        if value == name:
            return name
    raise ValueError(f"must be one of {', '.join(get_args(Environment))}")


def _schema(value: object) -> str:
    if not SCHEMA_NAME.fullmatch(str(value)) or str(value).startswith("pg_"):
        raise ValueError("must be a lower-case name of letters, digits and _, at most 50 long")
    return str(value)


def _currency_code(value: object) -> str:
    if not CURRENCY_CODE.fullmatch(str(value)):
        raise ValueError("must be three capitals, such as EUR")
    return str(value)


def _url(value: object) -> str:
    # Not urlsplit: libpq takes several hosts, and some Pythons then see a broken IPv6 address.
    url = str(value)
    if driver := SQLALCHEMY_URL.match(url):
        raise ValueError(
            f"must begin with {driver[1]}://; {driver[2]} is SQLAlchemy's and has to go"
        )
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("must be a URL such as postgresql://user@host/database")
    if UNQUOTED_PASSWORD.match(url.partition("://")[2]):
        raise ValueError(
            "has more than one @ before the path: special characters of the password must be"
            " percent-encoded, @ as %40"
        )
    return url


def _backup_url(value: object) -> str:
    url = str(value).rstrip("/")
    if url.startswith("s3://") and "@" in url.removeprefix("s3://").partition("/")[0]:
        raise ValueError("must hold no key: credentials go into AWS_ACCESS_KEY_ID and its like")
    if not (BACKUP_DIRECTORY.match(url) or BUCKET.match(url)):
        raise ValueError("must be a directory as file:///path, or as s3://bucket/prefix")
    return url


def _backup_key(value: object) -> str:
    if not str(value).startswith("AGE-SECRET-KEY-1"):
        raise ValueError("must be AGE-SECRET-KEY-1…; shopflow backup new-key makes one")
    return str(value)


def _storage_class(value: object) -> str:
    if not STORAGE_CLASS.fullmatch(str(value)):
        raise ValueError("must be a storage class of S3, such as STANDARD_IA")
    return str(value)


def _time_of_day(value: object) -> str:
    if not re.fullmatch(TIME_OF_DAY, str(value)):
        raise ValueError("must be a time of day in UTC as 02:00")
    return str(value)


def _weekly(value: object) -> str:
    text = str(value).lower()
    if text != "never" and not re.fullmatch(rf"(?:{'|'.join(WEEKDAYS)}) {TIME_OF_DAY}", text):
        raise ValueError("must be a weekday and a time in UTC as 'sunday 00:00', or never")
    return text


def _number(kind: Callable[[str], Any], low: float, high: float) -> Callable[[object], Any]:
    word = "a whole number" if kind is int else "a number"

    def parse(value: object) -> Any:
        try:
            number = kind(str(value))
        except ValueError:
            raise ValueError(f"must be {word}") from None
        if not low <= number <= high:
            raise ValueError(f"must be {word} from {low:g} to {high:g}")
        return number

    return parse


def _name(value: object) -> str:
    if not str(value).strip():
        raise ValueError("must not be empty")
    return str(value)


_seconds = _number(float, 0, 86400)
_PARSERS: Mapping[str, Callable[[object], Any]] = {
    "environment": _one_of_environments,
    "home": lambda value: Path(str(value)).expanduser().absolute(),
    "migrations": lambda value: Path(str(value)).expanduser().absolute(),
    "database_url": _url,
    "schema": _schema,
    "currency_code": _currency_code,
    "database_role": _name,
    "server_user": _name,
    "port": _number(int, 1024, 65535),
    "processes": _number(int, 1, 10000),
    "pool_max_size": _number(int, 1, 10000),
    "pool_max_idle": _number(float, 0.1, 86400),
    "pool_timeout": _number(float, 0.01, 3600),
    "pool_max_uses": _number(int, 1, 10**9),
    "application_name": _name,
    "statement_timeout": _seconds,
    "lock_timeout": _seconds,
    "idle_in_transaction_session_timeout": _seconds,
    "guest_cart_days": _number(int, 0, LONGEST_DAYS),
    "user_cart_days": _number(int, 0, LONGEST_DAYS),
    "unpaid_order_minutes": _number(int, 0, LONGEST_DAYS * 24 * 60),
    "best_selling_days": _number(int, 1, LONGEST_DAYS),
    "event_days": _number(int, 1, LONGEST_DAYS),
    "delivered_event_days": _number(int, 1, LONGEST_DAYS),
    "backup_url": _backup_url,
    "backup_storage_class": _storage_class,
    "backup_archive_storage_class": _storage_class,
    "backup_key": _backup_key,
    "backup_key_file": lambda value: Path(str(value)).expanduser().absolute(),
    "backup_full_at": _time_of_day,
    "backup_full_days": _number(int, 1, LONGEST_DAYS),
    "backup_wal_days": _number(int, 1, LONGEST_DAYS),
    "backup_incremental_hours": _number(int, 0, LONGEST_DAYS * 24),
    "backup_archive_at": _weekly,
    "backup_archive_days": _number(int, 1, LONGEST_DAYS),
    "backup_stream_directory": lambda value: Path(str(value)).expanduser().absolute(),
}
