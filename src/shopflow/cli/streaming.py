"""`shopflow backup stream`: WAL received as it is written."""

import signal
import threading
from typing import Annotated

import cyclopts

from shopflow import backup
from shopflow import settings as settings_module
from shopflow.cli.output import tell
from shopflow.cli.target import require_running


def stream(*, synchronous: Annotated[bool, cyclopts.Parameter(negative=())] = False) -> None:
    """Receive WAL as it is written into `backup_stream_directory`, until Ctrl-C or SIGTERM.

    What is lost with the server's disk is then less than a second instead of a minute. `shopflow
    restore` reads the directory beside the archive.

    Args:
        synchronous: a commit returns only once it is received, so that none is lost. Should this
            command be killed, commits wait until it runs again.
    """
    settings = settings_module.load()
    if settings.embedded:
        require_running(settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    backup.stream(settings, stopping, synchronous=synchronous, report=tell)
