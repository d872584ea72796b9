"""Reports of drills in the store, signed so that a changed one is found out."""

import hashlib
import hmac
import os
import secrets
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from shopflow.backup.errors import BackupError
from shopflow.backup.store import Store
from shopflow.invariants import Check
from shopflow.settings import Settings

DIRECTORY = "reports"
KEY_FILE = "report-key"

Outcome = Literal["passed", "failed", "unknown"]
Signature = Literal["valid", "changed", "other key"]


class Report(msgspec.Struct, frozen=True):
    """What a drill did and found.

    Attributes:
        name: `drill-20261128T020000Z`, from when it began.
        outcome: passed when every check is ok, unknown when some could not be made.
        started_at: the server's clock when it began.
        finished_at: the server's clock when all was checked.
        seed: what the target was drawn with.
        backup: the base backup's name.
        system_identifier: of the cluster it is of.
        window_from: the first time that could have been drawn.
        window_to: the last.
        target: the time that was restored to.
        last_transaction: the last that the restored server has.
        predicted_rpo: seconds: what may be lost with the data directory, by archive_timeout.
        measured_rpo: seconds until a row written when the drill began was in the archive.
        predicted_rto: seconds until a restored server takes writes, from the sizes.
        measured_rto: the same, by the clock; None when it was not restored.
        checks: all that was looked at.
    """

    name: str
    outcome: Outcome
    started_at: datetime
    finished_at: datetime
    seed: int
    backup: str
    system_identifier: str
    window_from: datetime
    window_to: datetime
    target: datetime
    last_transaction: datetime | None
    predicted_rpo: float
    measured_rpo: float | None
    predicted_rto: float
    measured_rto: float | None
    checks: list[Check]


class Kept(msgspec.Struct, frozen=True):
    """A report as the store has it, and what is to be held of its signature.

    Attributes:
        report: what it says.
        signature: valid; changed since it was signed; or made with another installation's key.
    """

    report: Report
    signature: Signature


class _Signed(msgspec.Struct, frozen=True):
    report: msgspec.Raw
    key: str
    signature: str


def outcome_of(checks: list[Check]) -> Outcome:
    """Return failed if any check is, else unknown if any is, else passed."""
    results = {each.result for each in checks}
    if "failed" in results:
        return "failed"
    return "unknown" if "unknown" in results or not results else "passed"


def keep(store: Store, settings: Settings, report: Report) -> None:
    """Sign a report and put it into the store.

    Raises:
        BackupError: when the store refuses, or has one of that name.
    """
    content = msgspec.json.encode(report)
    key = _key(settings)
    signed = _Signed(msgspec.Raw(content), _name(key), _sign(key, content))
    if not store.put_new(f"{DIRECTORY}/{report.name}.json", msgspec.json.encode(signed)):
        raise BackupError(f"the store has a report {report.name} already")


def history(store: Store, settings: Settings) -> list[Kept]:
    """Return the reports, the oldest first, and whether each is as it was signed.

    Raises:
        BackupError: when the store cannot be read, or a report is no report any more.
    """
    key = _key(settings)
    return [_read(store, name, key) for name in store.names(DIRECTORY)]


def _read(store: Store, name: str, key: bytes) -> Kept:
    content = b"".join(store.get(f"{DIRECTORY}/{name}"))
    try:
        signed = msgspec.json.decode(content, type=_Signed)
        report = msgspec.json.decode(signed.report, type=Report)
    except msgspec.MsgspecError as error:
        raise BackupError(f"the report {name} in {store.url} is damaged ({error})") from error
    if signed.key != _name(key):
        return Kept(report, "other key")
    same = hmac.compare_digest(signed.signature, _sign(key, bytes(signed.report)))
    # Nor was it put under another's name.
    return Kept(report, "valid" if same and name == f"{report.name}.json" else "changed")


def _sign(key: bytes, content: bytes) -> str:
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def _name(key: bytes) -> str:
    return hashlib.sha256(b"name of " + key).hexdigest()[:16]


def _key(settings: Settings) -> bytes:
    """Return the installation's key, made when it is first needed; it is never in the store."""
    path = settings.home / KEY_FILE
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(handle, "wb") as file:
        made = secrets.token_bytes(32)
        file.write(made)
    return made


def seconds(time: timedelta) -> float:
    """Return a duration as a report has it."""
    return round(time.total_seconds(), 3)
