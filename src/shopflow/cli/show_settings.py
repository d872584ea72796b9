"""`shopflow settings`: what is in force and where each value came from."""

from shopflow import settings as settings_module
from shopflow.cli.output import show_json, show_table


def settings(*, json: bool = False) -> None:
    """Show every setting in force and where it came from, without secrets.

    Each one is `SHOPFLOW_<NAME>` in the environment, or a line of `shopflow.toml`.

    Args:
        json: print a JSON object: name → {value, source}.
    """
    shown = settings_module.load().shown()
    if json:
        show_json(
            {key: {"value": value, "source": source} for key, (value, source) in shown.items()}
        )
    else:
        show_table(
            ("setting", "value", "from"),
            ((key, value, source) for key, (value, source) in shown.items()),
        )
