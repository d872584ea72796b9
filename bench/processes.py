"""Several processes that begin their load at the same moment.

A process reads its task from the first line of its input, makes everything ready, says so, and
begins at the second line; it answers with its `Run`.
"""

import subprocess
import sys
from collections.abc import Sequence

import msgspec

from bench.load import Load, Run, together

READY = "ready"
SECONDS = 120


class Task(msgspec.Struct, frozen=True):
    """What one of several processes does: the orders `first` up to `stop`, some of them to warm up.

    `url` is the database's.
    """

    url: str
    callers: int
    first: int
    stop: int
    warm_up: int
    within: float
    tag: str


def tasks(url: str, load: Load, count: int) -> list[Task]:
    """Share the callers and the orders of a load out to `count` processes."""
    share = load.orders // count
    return [
        Task(
            url=url,
            callers=load.callers // count,
            first=number * share,
            stop=(number + 1) * share,
            warm_up=load.warm_up // count,
            within=load.within,
            tag=load.tag,
        )
        for number in range(count)
    ]


def run(command: Sequence[str], given: Sequence[Task]) -> Run:
    """Run the command once for each task, at the same time, and return all of it as one.

    Raises:
        RuntimeError: when one failed; what it said has gone to standard error.
    """
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in given
    ]
    try:
        for process, task in zip(started, given, strict=True):
            _tell(process, msgspec.json.encode(task))
        for process in started:
            if _line(process) != READY:
                raise RuntimeError(f"{' '.join(command)} did not get ready")
        for process in started:
            _tell(process, b"go")
        answers = [process.communicate(timeout=SECONDS)[0] for process in started]
        if any(process.returncode for process in started):
            raise RuntimeError(f"{' '.join(command)} failed")
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()
    return together(msgspec.json.decode(answer, type=Run) for answer in answers)


def own_task() -> Task:
    """Return what this process is to do."""
    return msgspec.json.decode(sys.stdin.readline(), type=Task)


def wait_for_start() -> None:
    """Say that this process is ready and return when all are."""
    print(READY, flush=True)
    sys.stdin.readline()


def answer(found: Run) -> None:
    """Say what this process has done."""
    print(msgspec.json.encode(found).decode(), flush=True)


def _tell(process: subprocess.Popen[bytes], line: bytes) -> None:
    if process.stdin is None:
        raise TypeError("the process has no input")
    process.stdin.write(line + b"\n")
    process.stdin.flush()


def _line(process: subprocess.Popen[bytes]) -> str:
    if process.stdout is None:
        raise TypeError("the process has no output")
    return process.stdout.readline().decode().strip()
