"""Are explanations right? The scores of every method on the test slices of several runs, as a table.

    python benchmarks/explanations.py RUN ...        explain and score each run; write the tables
    python benchmarks/explanations.py --check        compare the tables with the results

A run whose folder has explanations already is not explained again, so the command can be repeated after an
interruption. The results are in `benchmarks/results/explanations.json`, the tables in `explanations.md` beside it, and
the average precision of every method on every network in `benchmarks/README.md`.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from readme import RESULTS, update_table

from tinydnn.explain.mask_scores import MASK_SCORES
from tinydnn.models import REGION_NETWORKS
from tinydnn.storage import atomic_write
from tinydnn.words import LEARNED_FROM_MASKS

JSON, TABLE = "explanations.json", "explanations.md"
Row = dict[str, Any]


def explain(folder: Path) -> Row:
    """The report on the explanations of a run, which `tinydnn explain evaluate` writes unless it is there."""
    report = folder / JSON
    if not report.exists():
        subprocess.run([sys.executable, "-m", "tinydnn", "explain", "evaluate", str(folder)], check=True)
    results: Row = json.loads(report.read_text())
    # The name of a folder on one machine means nothing on another.
    return {"run": folder.name, **results, "data": {**results["data"], "source": ""}}


def table(reports: list[Row]) -> str:
    """A section for each run: its protocol, and a line for each method."""
    return "\n".join(line for report in reports for line in section(report))


def section(report: Row) -> list[str]:
    """The lines of a run."""
    protocol = report["protocol"]
    crop = "" if protocol["crop"] == "none" else f", crop {protocol['crop']}"
    scores = [score.title for score in MASK_SCORES]
    masks = f" {LEARNED_FROM_MASKS}" if report["model"] in REGION_NETWORKS else ""
    kind = "synthetic slices" if report["data"]["synthetic"] else "slices"
    return [
        f"## {report['recipe'] or report['model']}, {protocol['size']} pixels{crop}",
        "",
        f"{protocol['slices']} test {kind} of {protocol['patients']} patients, split by {protocol['split']}, "
        f"{100 * protocol['accuracy']:.1f} % classified correctly from one view. The predicted class is explained. "
        f"Means in %, with 95 % intervals over {protocol['interval_over']}; the masks cover "
        f"{100 * report['mask_share']:.1f} % of the pixels. Deletion and insertion: areas below the curves. Random: "
        "rank correlation of the maps with those of the network whose last layer has random weights, and whose layers "
        "all have; in brackets that of two random networks. A method fails from "
        f"{report['strong_correlation']} on.{masks}",
        "",
        f"| method | slices | {' | '.join(scores)} | deletion | insertion | random: last, all (two) | sanity "
        "| s per slice |",
        f"|---|{'---|' * (len(scores) + 6)}",
        *(line(entry) for entry in report["methods"]),
        "",
    ]


def line(entry: Row) -> str:
    """The line of a method; baselines are in italics."""
    everything, areas, sanity = entry["scores"]["all"], entry["faithfulness"], entry["sanity"]
    cells = [
        entry_title(entry),
        f"{everything['slices']}, {areas['slices']}, {sanity['slices']}",
        *(mean(everything[score.name]) for score in MASK_SCORES),
        *(mean(areas[name]) for name in ("deletion", "insertion")),
        f"{sanity['correlations'][0]:.2f}, {sanity['correlations'][-1]:.2f} ({sanity['random_pair']:.2f})",
        sanity["verdict"],
        f"{entry['seconds_per_slice']:.3f}",
    ]
    return f"| {' | '.join(cells)} |"


def entry_title(entry: Row) -> str:
    """The title of a method, that of a baseline in italics."""
    return f"*{entry['title']}*" if entry["baseline"] else str(entry["title"])


def mean(score: Row) -> str:
    """The mean with its interval, if it has one, in percent."""
    interval = score["interval_95"]
    bounds = "-" if interval is None else " to ".join(f"{100 * bound:.1f}" for bound in interval)
    return f"{100 * score['mean']:.1f} ({bounds})"


def overview(reports: list[Row]) -> str:
    """Average precision in %, a line for each method and a column for each network."""
    titles = {entry["name"]: entry_title(entry) for report in reports for entry in report["methods"]}
    networks = [
        f"{report['recipe'] or report['model']}{', learned from masks' if report['model'] in REGION_NETWORKS else ''}"
        for report in reports
    ]
    found = [{entry["name"]: entry["scores"]["all"]["average_precision"] for entry in r["methods"]} for r in reports]
    lines = [f"| average precision % | {' | '.join(networks)} |", f"|---|{'---|' * len(networks)}"]
    for name, title in sorted(titles.items(), key=lambda item: item[1].startswith("*")):
        cells = [mean(scores[name]) if name in scores else "-" for scores in found]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write results and table, or compare the table; return 1 if it differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of finished runs")
    parser.add_argument("--check", action="store_true", help="compare the tables with the results")
    options = parser.parse_args()
    if options.check == bool(options.folders):
        parser.error("expected folders, or --check")
    if options.folders:
        content = json.dumps([explain(folder) for folder in options.folders], indent=1) + "\n"
        with atomic_write(RESULTS / JSON) as path:
            path.write_text(content)
    reports = json.loads((RESULTS / JSON).read_text())
    if not options.check:
        with atomic_write(RESULTS / TABLE) as path:
            path.write_text(table(reports))
    elif (RESULTS / TABLE).read_text() != table(reports):
        print(f"{TABLE}: the tables differ from the results")
        return 1
    return update_table("explanations", overview(reports), check=options.check)


if __name__ == "__main__":
    sys.exit(main())
