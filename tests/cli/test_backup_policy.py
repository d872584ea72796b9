"""`shopflow up` backs up by itself, and `backup due`, `keep`, `prune` as a user runs them."""

import json
import signal
import subprocess

import pytest

from shopflow import settings as settings_module
from shopflow.postgres.embedded import Server
from tests.cli.conftest import SHOPFLOW, Run, environment
from tests.cli.test_server import read_until
from tests.conftest import fast_disk, fast_home, reachable_directory

pytestmark = pytest.mark.acceptance


def test_a_shop_that_serves_is_backed_up(inside: Run) -> None:
    with reachable_directory(fast_disk()) as place:
        given = {"SHOPFLOW_HOME": fast_home(place), "SHOPFLOW_BACKUP_URL": f"file://{place}/store"}
        server = Server(settings_module.load({}, home=given["SHOPFLOW_HOME"]))
        with subprocess.Popen(
            [SHOPFLOW, "up"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(**given),
        ) as serving:
            try:
                said = read_until(serving, "is made").split()
                name = said[said.index("made") - 2]
                assert inside("backup", "due", **given).stdout.startswith("made  nothing was due\n")
                assert inside("backup", "keep", name, **given).stdout == f"{name} is kept\n"
                planned = inside("backup", "prune", "--dry-run", **given).stdout
                assert planned.splitlines() == [
                    "backup\tstate",
                    f"{name}\tmarked keep",
                    "would be removed: 0 backups, 0 files of WAL and 0 without a backup, 0 bytes",
                ]
                assert inside("backup", "keep", name, "--off", **given).returncode == 0
                pruned = json.loads(inside("backup", "prune", "--json", **given).stdout)
                assert pruned["kept"][name].startswith("kept until ")
                unknown = inside("backup", "keep", "other", **given)
                assert (unknown.returncode, unknown.stderr) == (
                    1,
                    "error: no such backup: other\n",
                )
                shown = inside("backup", "status", **given)
                assert shown.returncode == 0, shown.stdout
                assert "lost if the data vanished  at most " in shown.stdout
                serving.send_signal(signal.SIGINT)
                assert serving.wait(timeout=60) == 0
                stopped = inside("backup", "status", **given)
                assert stopped.returncode == 1
                assert "lost if the data vanished  unknown" in stopped.stdout
            finally:
                serving.kill()
                server.stop()
