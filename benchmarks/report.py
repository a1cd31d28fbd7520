"""The table of training speed in benchmarks/README.md and its plot, from `results/train-step.json`.

python benchmarks/report.py            write both
python benchmarks/report.py --check    compare the table with the results
"""

import json
import sys
from typing import Any

from matplotlib.figure import Figure
from readme import RESULTS as FOLDER
from readme import update_table

from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLACK, SKY

RESULTS, PLOT = FOLDER / "train-step.json", FOLDER / "train-step.png"


def table(results: dict[str, Any]) -> str:
    """The rows of each batch size, fastest first, and the machine."""
    lines = [
        "| batch | | images/s | 20 to 80 % of the steps | × best PyTorch | peak memory | of the arithmetic bound |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in ordered(results):
        lines.append(
            f"| {row['batch']} | {row['name']} | {row['images_per_s']:.0f} | {row['p20']:.0f} to {row['p80']:.0f} "
            f"| {row['ratio_to_best_torch']:.2f} | {row['peak_memory_mb']:.0f} MB | {row['share_of_bound']:.0%} |"
        )
    machine, versions, settings = results["machine"], results["versions"], results["settings"]
    packages = ", ".join(f"{name} {version}" for name, version in versions.items() if version and name != "tinydnn")
    lines += [
        "",
        f"{machine['cpu']}, {settings['threads']} threads, {settings['size']} × {settings['size']} pixels; {packages}; "
        f"BLAS core type {machine['core_type']}. The arithmetic bound is {settings['bound']:.0f} images/s: "
        f"{settings['flops_per_image'] / 1e9:.2f} GFLOP per image, zeros included, at the "
        f"{results['peaks']['gflops']:.0f} GFLOP/s measured for a large matrix product.",
    ]
    return "\n".join(lines) + "\n"


def ordered(results: dict[str, Any]) -> list[dict[str, Any]]:
    """The contestants that ran, by batch size, then fastest first."""
    ran = [row for row in results["rows"] if "failure" not in row]
    return sorted(ran, key=lambda row: (row["batch"], -row["images_per_s"]))


def draw(results: dict[str, Any]) -> Figure:
    """Plot bars of images/s, grouped by batch size."""
    rows = ordered(results)
    with canvas.style():
        machine = f"{results['machine']['cpu']}, {results['settings']['threads']} threads"
        note = f"{machine}; bars: median, lines: 20 to 80 % of the steps"
        size = results["settings"]["size"]
        title = f"The baseline network at {size} × {size} pixels: forward, backward, update"
        figure = canvas.new_figure(7.6, 0.36 * len(rows) + 0.9, "Images per second in training", title, note)
        axes = figure.subplots()
        for k, row in enumerate(rows):
            ours = row["name"].startswith("tinydnn")
            axes.barh(-k, row["images_per_s"], color=SKY if ours else "#C4C4C4", height=0.7)
            axes.plot([row["p20"], row["p80"]], [-k, -k], color=BLACK, linewidth=1.4)
            axes.text(row["p80"] + 4, -k, f"{row['images_per_s']:.0f}", va="center", size=8.5)
        axes.set_yticks([-k for k in range(len(rows))], [f"{row['name']}, batch {row['batch']}" for row in rows])
        axes.set(xlabel="images/s", xlim=(0, 1.12 * max(row["p80"] for row in rows)))
        axes.spines["left"].set_visible(False)
        axes.tick_params(left=False)
    return figure


def main() -> int:
    """Write the table and the plot, or compare the table; return 1 if it differs."""
    results, check = json.loads(RESULTS.read_text()), "--check" in sys.argv[1:]
    if not check:
        canvas.save(draw(results), PLOT)
    return update_table("speed", table(results), check=check)


if __name__ == "__main__":
    sys.exit(main())
