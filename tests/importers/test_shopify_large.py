"""A large export: memory does not grow with it."""

import subprocess
import sys
from pathlib import Path

READ = """
import resource, sys
from pathlib import Path
from shopflow.importers.shopify import open_shopify
with open_shopify(0, Path(sys.argv[1])) as file:
    rows = sum(each.rows for each in file.products(1, lambda line, message: None))
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def read_apart(path: Path) -> tuple[int, int]:
    """Rows and KiB of memory of a process that reads the file."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True
    )
    rows, memory = done.stdout.split()
    return int(rows), int(memory)


def test_reading_holds_one_row_at_a_time(tmp_path: Path) -> None:
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    header = "Handle,Title,Variant Price,Body (HTML)\n"
    row = ',A title,9.90,"' + "some words\n" * 5000 + '"\n'
    for path, count in ((small, 20), (large, 1500)):
        with path.open("w") as out:
            out.write(header)
            out.writelines(f"p{number}{row}" for number in range(count))
    assert large.stat().st_size > 80_000_000
    rows, memory = read_apart(large)
    assert rows == 1500
    assert memory - read_apart(small)[1] < 20_000
