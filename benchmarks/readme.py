"""Tables of benchmarks/README.md that scripts generate from results, and compare with them."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinydnn.storage import atomic_write

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parent / "README.md"

Rows = list[dict[str, Any]]


def update_table(name: str, table: str, *, check: bool) -> int:
    """Replace the table between the markers of its name. With `check`, write nothing and return 1 if it differs."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    text = README.read_text()
    head, rest = text.split(begin)
    _, tail = rest.split(end)
    updated = head + begin + table + end + tail
    if not check:
        with atomic_write(README) as path:
            path.write_text(updated)
    elif updated != text:
        print(f"{README.name}: the table {name} differs from the results")
        return 1
    return 0


def table_from_runs(name: str, *, read: Callable[[list[Path]], Rows], table: Callable[[Rows], str], about: str) -> int:
    """The main function of a script that reads run folders into `results/NAME.json` and makes a table of them."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of runs and cross-validations")
    parser.add_argument("--check", action="store_true", help="compare the table with the results")
    options = parser.parse_args()
    if options.check == bool(options.folders):
        parser.error("expected folders, or --check")
    results = RESULTS / f"{name}.json"
    if options.folders:
        with atomic_write(results) as path:
            path.write_text(json.dumps(read(options.folders), indent=1) + "\n")
    return update_table(name, table(json.loads(results.read_text())), check=options.check)
