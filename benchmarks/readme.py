"""Tables of the README that are made from results, and compared with them."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinydnn.storage import atomic_write

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"

Rows = list[dict[str, Any]]


def put(name: str, table: str, *, check: bool) -> int:
    """Put a table between the README's marks of that name; with `check`, write nothing, and 1 if another is there."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    text = README.read_text()
    head, rest = text.split(begin)
    _, tail = rest.split(end)
    made = head + begin + table + end + tail
    if not check:
        with atomic_write(README) as path:
            path.write_text(made)
    elif made != text:
        print(f"{README.name}: the table of {name} is not what the results give")
        return 1
    return 0


def from_folders(name: str, *, read: Callable[[list[Path]], Rows], table: Callable[[Rows], str], about: str) -> int:
    """The command of a script whose rows are read from run folders and kept in `results/NAME.json`."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="of runs and cross-validations")
    parser.add_argument("--check", action="store_true", help="compare the README with the results")
    options = parser.parse_args()
    if options.check == bool(options.folders):
        parser.error("expected folders, or --check")
    results = ROOT / "benchmarks" / "results" / f"{name}.json"
    if options.folders:
        with atomic_write(results) as path:
            path.write_text(json.dumps(read(options.folders), indent=1) + "\n")
    return put(name, table(json.loads(results.read_text())), check=options.check)
