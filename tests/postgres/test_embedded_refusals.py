"""Where the embedded server refuses to be made: each time one sentence, and nothing left behind."""

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from shopflow import settings as settings_module
from shopflow.errors import ConfigurationError, ServerError
from shopflow.postgres import server_user
from shopflow.postgres.embedded import Server
from shopflow.postgres.server_home import LONGEST_SOCKET_PATH, Home
from shopflow.settings import Settings
from tests.conftest import fast_home

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")


def in_home(home: Path, server_user: str = "shopflow") -> Settings:
    return settings_module.load({}, home=home, server_user=server_user)


def fill(disk: Path) -> Path:
    """Take the disk's last byte; returns what to delete to get it back."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


@pytest.fixture
def small_disk(server_directory: Path) -> Iterator[Path]:
    """A disk of 24 MB: the program initdb starts, and does not end."""
    disk = server_directory / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0755", "tmpfs", disk],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_disk_is_named_and_nothing_half_made_stays(small_disk: Path) -> None:
    server = Server(in_home(small_disk / "home"))
    with pytest.raises(ServerError, match=r"the disk of .*/home is full"):
        server.start()
    left = {entry.name for entry in (small_disk / "home").iterdir()}
    assert left <= {"lock", "server.json", "pgpass", "log", "run", "conf.d", "shopflow.conf"}
    assert server.status().running is False


def test_a_disk_without_a_byte_is_named(small_disk: Path) -> None:
    fill(small_disk)
    with pytest.raises(ServerError, match=r"the disk of .*/home is full"):
        Server(in_home(small_disk / "home")).start()


def test_a_server_that_finds_its_disk_full_says_so(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    server = Server(in_home(fast_home(small_disk)))
    server.start()
    server.stop()
    filler = fill(small_disk)
    with pytest.raises(ServerError, match=r"the disk of .*/home is full"):
        server.start()
    filler.unlink()
    assert server.start() == "started"
    server.stop()


def test_a_directory_with_other_files_is_not_taken(server_directory: Path) -> None:
    home = server_directory / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work")
    with pytest.raises(ServerError, match=r"did not make \('thesis.tex'\).*SHOPFLOW_HOME"):
        Server(in_home(home)).start()
    assert [entry.name for entry in home.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_home(server_directory: Path) -> None:
    (server_directory / "home").write_text("")
    with pytest.raises(ServerError, match=r"cannot use .*/home as the home.*SHOPFLOW_HOME"):
        Server(in_home(server_directory / "home")).start()


def test_an_unfinished_directory_without_our_marker_stays(server_directory: Path) -> None:
    home = fast_home(server_directory)
    (home / "server.json").write_text("{}")
    (home / "initdb.unfinished").mkdir()
    (home / "initdb.unfinished" / "precious").touch()
    with pytest.raises(ServerError, match="in the way and not ShopFlow's"):
        Server(in_home(home)).start()
    assert (home / "initdb.unfinished" / "precious").exists()


def test_a_damaged_record_is_named(server_directory: Path) -> None:
    home = fast_home(server_directory)
    (home / "server.json").write_text("{")
    with pytest.raises(ServerError, match=r"server.json is damaged"):
        Server(in_home(home)).start()


@as_root
def test_a_directory_of_another_user_is_refused(server_directory: Path) -> None:
    home = fast_home(server_directory)
    (home / "server.json").write_text("{}")
    (home / "data").mkdir()
    os.chown(home / "data", 65534, 65534)
    with pytest.raises(ServerError, match=r"data belongs to user id 65534.*run as shopflow"):
        Server(in_home(home)).start()


@as_root
@pytest.mark.parametrize("closed", ["parent", "home itself"])
def test_a_closed_directory_is_named_and_stays_closed(server_directory: Path, closed: str) -> None:
    parent = server_directory / "parent"
    home = parent / "home"
    home.mkdir(parents=True)
    shut = {"parent": parent, "home itself": home}[closed]
    shut.chmod(0o750)
    for wanted in (home, home / "new"):
        with pytest.raises(ServerError, match=rf"'shopflow' cannot enter {shut} \(mode 0750\)"):
            Server(in_home(wanted)).start()
    assert stat.S_IMODE(shut.stat().st_mode) == 0o750
    assert not list(home.iterdir())


@as_root
def test_the_server_never_runs_as_root(server_directory: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"server_user.*does not run as root.*'root'"):
        Server(in_home(server_directory / "home", server_user="root")).start()


@as_root
def test_a_user_that_cannot_be_made_is_named(server_directory: Path) -> None:
    with pytest.raises(ServerError, match=r"user 'Not A Name' could not be made.*SERVER_USER"):
        Server(in_home(server_directory / "home", server_user="Not A Name")).start()


def test_without_a_server_there_is_no_url(server_directory: Path) -> None:
    server = Server(in_home(server_directory / "home"))
    with pytest.raises(ServerError, match=r"no server in .* yet; shopflow up"):
        server.url()
    assert server.stop() is False
    assert server.status().running is False
    assert not (server_directory / "home").exists()


def test_a_socket_directory_that_somebody_else_made_first_is_refused(
    server_directory: Path,
) -> None:
    home = Home(server_directory / ("long" * 25))
    account = server_user.find_account("shopflow")
    there = home.socket(account)
    there.mkdir(mode=0o777)
    there.chmod(0o777)
    try:
        with pytest.raises(ServerError, match=r"must be a directory of .* with mode 0700"):
            Server(in_home(home.path)).start()
    finally:
        there.rmdir()


def test_the_longest_socket_path_is_known_to_the_byte(server_directory: Path) -> None:
    account = server_user.find_account("shopflow")
    rest = len("/run/.s.PGSQL.65535")
    fits = Path("/" + "x" * (LONGEST_SOCKET_PATH - rest - 1))
    assert Home(fits).socket(account) == fits / "run"
    assert Home(fits.with_name(fits.name + "x")).socket(account).name.startswith("shopflow-")
