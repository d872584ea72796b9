"""The command line, run, and a server that is not ShopFlow's to start."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shopflow.cli import main
from shopflow.postgres.embedded import Server
from shopflow.settings import Settings

SHOPFLOW = Path(sys.executable).with_name("shopflow")
Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(**given: object) -> dict[str, str]:
    """This process's environment without what would choose another server."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("SHOPFLOW_", "PG")) and key != "DATABASE_URL"
    }
    return kept | {key: str(value) for key, value in given.items()}


def shopflow(*arguments: str, **given: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SHOPFLOW, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment(**given),
        cwd="/",
        timeout=120,
    )


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`shopflow` in this process: half a second less a call than in one of its own."""

    def run(*arguments: str, **given: object) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            for name in os.environ.keys() - environment().keys():
                patch.delenv(name)
            for name, value in given.items():
                patch.setenv(name, str(value))
            patch.setattr(sys, "argv", ["shopflow", *arguments])
            with pytest.raises(SystemExit) as end:
                main()
        said = capsys.readouterr()
        assert isinstance(end.value.code, int | None)
        return subprocess.CompletedProcess(arguments, end.value.code or 0, said.out, said.err)

    return run


@pytest.fixture
def external(empty_settings: Settings, test_server: Settings) -> str:
    """The URL, with its password, of a server that is not ShopFlow's to start."""
    assert empty_settings.database_url is not None
    whole = Server(test_server).url(with_password=True)
    return urlsplit(whole)._replace(path=urlsplit(empty_settings.database_url).path).geturl()
