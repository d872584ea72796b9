"""The documents' commands and programs are run as they stand, in order, in an empty directory."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from shopflow import settings as settings_module
from shopflow.migrations import runner
from shopflow.postgres.embedded import Server
from tests.backup import s3
from tests.conftest import fast_disk, fast_home, reachable_directory

ROOT = Path(__file__).parents[2]
# `sh &` is a block for another terminal, where it runs until the document's end.
BLOCK = re.compile(r"^```(sh|sh &|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What documents listen at; others on this machine may use these, so each run takes free ones.
PORT = re.compile(r"\b87[0-9]{2}\b")
SAVED_AS = re.compile(r"[Ss]ave (?:this|it) as `([a-z_]+\.py)`")

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="session")
def made_home() -> Iterator[Path]:
    """A home whose server was made, has the newest schema, and does not run."""
    with reachable_directory(fast_disk()) as directory:
        settings = settings_module.load({}, home=fast_home(directory))
        Server(settings).start()
        try:
            runner.up(settings)
        finally:
            Server(settings).stop()
        yield settings.home


@pytest.fixture
def workplace(
    server_directory: Path, tmp_path: Path, made_home: Path, request: pytest.FixtureRequest
) -> Iterator[dict[str, str]]:
    """An environment with a home of its own; what is started in it is stopped afterwards.

    The README and the tutorials begin with an empty one.
    """
    home = server_directory / "home"
    if "how_to" in request.node.name:
        # With its owners.
        subprocess.run(["cp", "-a", made_home, home], check=True)
    else:
        fast_home(server_directory)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    clean = {
        key: value for key, value in os.environ.items() if not key.startswith(("PG", "SHOPFLOW"))
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    yield {**clean, "PATH": path, "SHOPFLOW_HOME": str(home), "HERE": str(tmp_path)}
    Server(settings_module.load({}, home=home)).stop()


def run(workplace: dict[str, str], commands: str) -> str:
    done = subprocess.run(
        bash(commands),
        cwd=workplace["HERE"],
        env=workplace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def bash(commands: str) -> list[str]:
    # The machine that tests is set up already; the rest runs as it stands.
    script = re.sub(r"^make .*$", "true", commands, flags=re.MULTILINE)
    return ["bash", "-euo", "pipefail", "-c", script]


@contextmanager
def another_terminal(workplace: dict[str, str], commands: str) -> Iterator[None]:
    """Run commands beside the others, from the first line they print on, and interrupt them."""
    log = Path(workplace["HERE"]) / f"terminal-{abs(hash(commands))}.log"
    with log.open("w") as output:
        terminal = subprocess.Popen(
            bash(commands),
            cwd=workplace["HERE"],
            env=workplace,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        patience = monotonic() + 60
        while not log.stat().st_size:
            assert terminal.poll() is None, f"{commands}\nended without a word"
            assert monotonic() < patience, f"{commands}\nsays nothing"
            sleep(0.05)
        yield
    finally:
        # Ctrl-C goes to everything that runs in a terminal.
        os.killpg(terminal.pid, signal.SIGINT)
        terminal.wait(timeout=60)
        workplace["SEEN"] += log.read_text()


def follow(workplace: dict[str, str], document: Path) -> str:
    """Do everything that a document says and return what a reader would have seen."""
    text = on_free_ports(document.read_text(encoding="utf-8"))
    names = iter(SAVED_AS.findall(text))
    workplace["SEEN"] = ""
    with ExitStack() as terminals:
        for language, block in BLOCK.findall(text):
            if language == "python":
                (Path(workplace["HERE"]) / next(names)).write_text(block, encoding="utf-8")
            elif language == "sh &":
                terminals.enter_context(another_terminal(workplace, block))
            else:
                workplace["SEEN"] += run(workplace, block)
    return workplace["SEEN"]


def on_free_ports(text: str) -> str:
    with ExitStack() as taken:
        free: dict[str, str] = {}
        for port in sorted(set(PORT.findall(text))):
            listening = taken.enter_context(socket.socket())
            listening.bind(("127.0.0.1", 0))
            free[port] = str(listening.getsockname()[1])
    return PORT.sub(lambda found: free[found[0]], text)


def test_the_tutorial(workplace: dict[str, str]) -> None:
    seen = follow(workplace, ROOT / "docs" / "tutorial" / "first-shop.md")
    assert "is confirmed" in seen
    assert "refused: not enough in stock" in seen
    for rule in ("products_stock_non_negative", "cannot go from", "never changed"):
        assert rule in seen
    assert "to ship" in seen
    assert "succeeded order confirmed" in seen
    assert re.search(r"came back, refunded: \d+\.\d\d succeeded", seen)
    assert "pending → confirmed → processing → shipped → delivered" in seen


def test_the_readme(workplace: dict[str, str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    printed = (ROOT / "README.md").read_text(encoding="utf-8").split("Next:\n")[1].split("```")[0]
    steps = [line.strip() for line in printed.strip().splitlines()]
    for step in steps:
        assert step.removeprefix(".venv/bin/shopflow") in makefile, "make run prints other steps"
    run(workplace, ".venv/bin/shopflow up --once --demo\n.venv/bin/shopflow demo order")
    follow(workplace, ROOT / "README.md")
    assert len(run(workplace, ".venv/bin/python shop.py").splitlines()) == 5
    for step in steps:
        run(workplace, step)


def test_how_to_import_from_shopify(workplace: dict[str, str]) -> None:
    (Path(workplace["HERE"]) / "products_export.csv").write_text(
        "Handle,Title,Vendor,Variant Price\nscarf,Scarf,Acme,19.90\n", encoding="utf-8"
    )
    run(workplace, "shopflow up --once")
    tried, taken, again, written, back = (
        " ".join(line.split())
        for line in follow(workplace, ROOT / "docs" / "howto" / "import-shopify.md").splitlines()
        if line.startswith("products ")
    )
    assert tried == taken == "products 1 created, 0 updated, 0 unchanged"
    assert again == back == "products 0 created, 0 updated, 1 unchanged"
    assert written.startswith("products 1 in ")
    assert run(workplace, "python bring_in.py") == "0 created, 1 unchanged\n"


def test_how_to_import_from_woocommerce(workplace: dict[str, str]) -> None:
    (Path(workplace["HERE"]) / "wc-product-export.csv").write_text(
        "ID,Type,SKU,Name,Regular price,Parent,Attribute 1 name,Attribute 1 value(s)\n"
        '1,variable,TEE,Tee,,,Size,"S, M"\n'
        "2,variation,TEE-S,,8.50,TEE,Size,S\n"
        "3,variation,TEE-M,,9,id:1,Size,M\n",
        encoding="utf-8",
    )
    run(workplace, "shopflow up --once")
    seen = follow(workplace, ROOT / "docs" / "howto" / "import-woocommerce.md").splitlines()
    variants = [" ".join(line.split()) for line in seen if line.startswith("variants ")]
    assert variants == ["variants 2 created, 0 updated, 0 deactivated"] * 2
    assert seen[-1] == "1 unchanged"


def test_how_to_export_and_import_json_lines(workplace: dict[str, str]) -> None:
    products = Path(workplace["HERE"]) / "given.csv"
    products.write_text(
        "Handle,Title,Variant Price,Tags\nmug,Mug,8.50,tea\ntin,Tin,3,\n", encoding="utf-8"
    )
    run(workplace, "shopflow up --once\nshopflow import shopify given.csv")
    seen = follow(workplace, ROOT / "docs" / "howto" / "import-export-jsonl.md").splitlines()
    found = [" ".join(line.split()) for line in seen if line.startswith("products ")]
    assert found[0].startswith("products 2 in ")
    assert found[1:] == [
        "products 0 created, 0 updated, 2 unchanged",
        "products 0 created, 1 updated, 0 unchanged",
    ]


def test_how_to_edit_the_catalogue(workplace: dict[str, str]) -> None:
    seen = follow(workplace, ROOT / "docs" / "howto" / "edit-the-catalogue.md").splitlines()
    refused = [line for line in seen if line.startswith("refused: ")]
    assert "has version 2 by now, not 1" in refused[0]
    assert refused[1].endswith("has 13 in stock (got -20)")
    assert [line for line in seen if line.startswith("+")] == [
        "+1 return",
        "+2 correction",
        "+10 initial",
    ]
    assert seen[-1] == "every stock is the sum of its movements"


def test_how_to_back_up_and_restore(workplace: dict[str, str]) -> None:
    seen = follow(workplace, ROOT / "docs" / "howto" / "backups.md")
    assert "problem" not in seen
    assert f" {workplace['SHOPFLOW_HOME']}-restored\n" in seen
    assert "(1 row)" in seen


def test_the_tutorial_of_a_lost_database(workplace: dict[str, str]) -> None:
    with _fast_homes(workplace, "-clone", "-rescued"):
        seen = follow(workplace, ROOT / "docs" / "tutorial" / "lose-a-database.md")
    assert "products: 0 added, 0 removed, 100 changed" in seen
    assert re.search(r"price: \d+\.\d\d → 1\.00", seen)
    assert "sessions ended" in seen
    assert re.search(r"products *\n-+\n *100\n", seen)
    assert "(2 rows)" in seen


def test_how_to_drill(workplace: dict[str, str]) -> None:
    with _fast_homes(workplace):
        # Not to wait a minute.
        config = Path(workplace["SHOPFLOW_HOME"]) / "conf.d" / "archive.conf"
        config.write_text("archive_timeout = 1s\n")
        seen = follow(workplace, ROOT / "docs" / "howto" / "restore-drills.md")
    assert re.search(r"^pg_amcheck +ok$", seen, re.MULTILINE)
    assert re.search(r"\tpassed\tvalid\t", seen)


@contextmanager
def _fast_homes(workplace: dict[str, str], *others: str) -> Iterator[None]:
    """A home on a fast disk; others beside it are stopped afterwards, too."""
    with reachable_directory(fast_disk()) as place:
        home = fast_home(place)
        workplace["SHOPFLOW_HOME"] = str(home)
        try:
            yield
        finally:
            for name in ("", *others):
                Server(settings_module.load({}, home=Path(f"{home}{name}"))).stop()


def test_how_to_store_backups(workplace: dict[str, str]) -> None:
    with s3.peer() as peer:
        peer.make_bucket("shop-backups")
        workplace.update(peer.environ)
        seen = follow(workplace, ROOT / "docs" / "howto" / "backup-storage.md")
        run(workplace, "shopflow down")
    assert len(re.findall(r"^20\S+\t\d+\twhole$", seen, re.MULTILINE)) == 2
    assert re.search(r"^kind +incremental$", seen, re.MULTILINE)
    assert re.search(r"^encrypted +True$", seen, re.MULTILINE)


def test_how_to_keep_backups_by_a_policy(workplace: dict[str, str]) -> None:
    document = ROOT / "docs" / "howto" / "backup-policy.md"
    seen = follow(workplace, document)
    assert [line for line in seen.splitlines() if line.startswith("made ")][1:] == [
        "made  nothing was due"
    ]
    assert "\tmarked keep\n" in seen
    assert "lost if the data vanished  at most " in seen
    assert "problem" not in seen
    scheduled = re.findall(
        r"^(?:ExecStart=|7 \* .*)/srv/shop/\.venv/bin/(.*)$", document.read_text(), re.MULTILINE
    )
    assert scheduled == ["shopflow backup due"] * 2


def test_how_to_list_products(workplace: dict[str, str]) -> None:
    seen = follow(workplace, ROOT / "docs" / "howto" / "list-products.md")
    assert "back at the first page: True" in seen
    assert "best of the best:" in seen
    assert "more than 10 products" in seen


def test_how_to_show_facets(workplace: dict[str, str]) -> None:
    document = ROOT / "docs" / "howto" / "facets.md"
    seen = follow(workplace, document)
    assert document.read_text(encoding="utf-8").split("```text\n")[1].split("```")[0] in seen


def test_how_to_use_accounts(workplace: dict[str, str]) -> None:
    seen = follow(workplace, ROOT / "docs" / "howto" / "accounts.md")
    assert "verified: True" in seen
    assert "refused: There is no account with this e-mail address and password." in seen
    assert "cut for want of stock: 0" in seen
    assert "used twice, sessions left: 0" in seen
    assert "held: addresses, bulk_changes_made, carts, coupons_used" in seen
    assert "asked for it by mail" in seen


def test_how_to_take_payments(workplace: dict[str, str]) -> None:
    seen = follow(workplace, ROOT / "docs" / "howto" / "take-payments.md")
    assert "first card: declined card_declined" in seen
    assert "sent twice, one payment: True" in seen
    assert "capture: succeeded confirmed paid" in seen
    assert "refund: succeeded partially_refunded" in seen
    assert "capture: unknown" in seen
    assert "asked" in seen
    assert "1 operation looked at, 0 still open" in seen
    # Two authorizations and captures, one of them declined, and a refund: each of them once.
    told = {
        line.split()[0]
        for line in seen.splitlines()
        if re.match(r"event_[0-9a-f]+ (applied|dup)", line)
    }
    assert len(told) >= 5


def test_how_to_tell_others_what_happens(workplace: dict[str, str]) -> None:
    document = ROOT / "docs" / "howto" / "webhooks-and-worker.md"
    seen = follow(workplace, document)
    # From the receiver, which has checked the signatures.
    for event in ("order.placed", "order.confirmed", "payment.captured"):
        assert re.search(rf"^{re.escape(event)} [0-9a-f-]{{36}} ", seen, re.MULTILINE)
    assert "0 events will be tried again" in seen
    assert re.search(r"^booked \d{6}-\S+ \d+\.\d\d$", seen, re.MULTILINE)


def test_how_to_change_many_prices(workplace: dict[str, str]) -> None:
    seen = follow(workplace, ROOT / "docs" / "howto" / "bulk-prices.md")
    statuses = ("status       done", "status       undone", "status       scheduled")
    assert [status in seen for status in statuses] == [True, True, True]
    assert re.search(r"^[1-9][0-9]* would change, [0-9]+ are so already$", seen, re.MULTILINE)
    assert "1 applied, the last change:" in seen or "2 applied, the last change:" in seen


def test_the_workers_unit_runs_a_command_that_there_is(workplace: dict[str, str]) -> None:
    text = (ROOT / "docs" / "howto" / "webhooks-and-worker.md").read_text(encoding="utf-8")
    unit = text.split("```ini\n")[1].split("```")[0]
    (command,) = re.findall(r"^ExecStart=/srv/shop/\.venv/bin/(.*)$", unit, re.MULTILINE)
    assert "Usage" in run(workplace, f"{command} --help")


def test_how_to_set_coupons_shipping_and_tax(workplace: dict[str, str]) -> None:
    document = ROOT / "docs" / "howto" / "promotions-shipping-tax.md"
    seen = follow(workplace, document)
    assert document.read_text(encoding="utf-8").split("```text\n")[1].split("```")[0] in seen
    assert "flat: 20.00 + 1.60 = 21.60" in seen


def test_how_to_search(workplace: dict[str, str]) -> None:
    document = ROOT / "docs" / "howto" / "search.md"
    seen = follow(workplace, document)
    assert document.read_text(encoding="utf-8").split("```text\n")[1].split("```")[0] in seen
    assert "corrected  headphones" in seen
    assert "sofa\tsettee" in seen
    assert "0 of 5 products were not as they should be" in seen
    assert "language  german" in seen
    assert "vectors made: 5" in seen
    assert "to sit: Three-Seat Couch" in seen
