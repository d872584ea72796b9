"""`shopflow backup drill`: a restore that proves itself, and what earlier ones found."""

from pathlib import Path

from shopflow import backup
from shopflow import settings as settings_module
from shopflow.backup import Store, reports
from shopflow.backup.reports import Report
from shopflow.cli.output import show_json, show_pairs, show_table, tell
from shopflow.cli.progress import bytes_bar
from shopflow.cli.target import require_running
from shopflow.settings import Settings


def drill(
    *,
    scratch: Path | None = None,
    seed: int | None = None,
    history: bool = False,
    json: bool = False,
) -> int:
    """Restore the newest backup to a random time in a scratch directory and check what came back.

    PostgreSQL's tools read every file, page and index; the shop's rules and foreign keys are
    checked; a row written before that time must be there and one written after must not. The
    signed report is kept in the store. Exit code 1 unless every check was made and is ok. The
    scratch directory needs the space of the whole shop, and is removed.

    Args:
        scratch: an existing directory on the disk to restore on; otherwise SHOPFLOW_HOME.
        seed: the seed that an earlier drill printed, to draw the same part of the window.
        history: show the reports of all drills and whether each is as it was signed; exit code 1
            when one was changed.
        json: print a JSON object, with --history an array.
    """
    settings = settings_module.load()
    if history:
        return _show_history(settings, json)
    require_running(settings)
    with bytes_bar() as progress:
        made = backup.drill(settings, scratch_in=scratch, seed=seed, report=tell, progress=progress)
    if json:
        show_json(made)
    else:
        _show(made)
    return 0 if made.outcome == "passed" else 1


def _show(made: Report) -> None:
    show_pairs(
        [
            ("outcome", made.outcome),
            ("report", f"{reports.DIRECTORY}/{made.name}.json"),
            ("seed", made.seed),
            ("backup", made.backup),
            ("restored to", made.target.isoformat()),
            ("RPO", _compared(made.measured_rpo, made.predicted_rpo)),
            ("RTO", _compared(made.measured_rto, made.predicted_rto)),
            *(
                (each.name, each.result + (f": {each.reason}" if each.reason else ""))
                for each in made.checks
            ),
        ]
    )


def _compared(measured: float | None, predicted: float) -> str:
    found = "not measured" if measured is None else f"{measured:.1f} s"
    return f"{found} (predicted {predicted:.1f} s)"


def _show_history(settings: Settings, json: bool) -> int:
    found = reports.history(Store(settings), settings)
    if json:
        show_json(found)
    else:
        show_table(
            ("started", "outcome", "signature", "restored to", "RPO s", "RTO s", "not ok"),
            (
                (
                    each.report.started_at.isoformat(timespec="seconds"),
                    each.report.outcome,
                    each.signature,
                    each.report.target.isoformat(),
                    _number(each.report.measured_rpo),
                    _number(each.report.measured_rto),
                    ", ".join(one.name for one in each.report.checks if one.result != "ok"),
                )
                for each in found
            ),
        )
    return 1 if any(each.signature == "changed" for each in found) else 0


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
