"""The README's table of speed, and its picture, made from `benchmarks/results/train-step.json`.

python benchmarks/report.py            write them
python benchmarks/report.py --check    say whether the README has what the results give
"""

import json
import sys
from pathlib import Path
from typing import Any

from readme import put

from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLUE, GREY, MARGIN

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "train-step.json"
PICTURE = ROOT / "benchmarks" / "results" / "train-step.png"


def table(results: dict[str, Any]) -> str:
    """The rows of each batch size, fastest first, with what they were measured on."""
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
    others = ", ".join(f"{name} {version}" for name, version in versions.items() if version and name != "tinydnn")
    lines += [
        "",
        f"{machine['cpu']}, {settings['threads']} threads, {settings['size']} × {settings['size']} pixels; {others}; "
        f"BLAS core type {machine['core_type']}. The bound of {settings['bound']:.0f} images/s is "
        f"{settings['flops_per_image'] / 1e9:.2f} GFLOP an image, zeros included, at the "
        f"{results['peaks']['gflops']:.0f} GFLOP/s that a large matrix product was measured at.",
    ]
    return "\n".join(lines) + "\n"


def ordered(results: dict[str, Any]) -> list[dict[str, Any]]:
    """By batch size, then fastest first; those that did not run are left to the results file."""
    ran = [row for row in results["rows"] if "failure" not in row]
    return sorted(ran, key=lambda row: (row["batch"], -row["images_per_s"]))


def draw(results: dict[str, Any]) -> None:
    """Bars of images/s, a group for each batch size."""
    rows = ordered(results)
    width, body = 7.6, 0.36 * len(rows) + 0.6
    with canvas.style():
        note = f"{results['machine']['cpu']}, {results['settings']['threads']} threads; bars: median, lines: 20 to 80 %"
        size = results["settings"]["size"]
        title = f"The baseline network at {size} × {size} pixels: forward, backward, update"
        figure = canvas.new_figure(width, body, "Images a second in training", title, note)
        axes = canvas.axes_at(figure, 2.6, 0.5, width - 2.6 - 2 * MARGIN, body - 0.55)
        for k, row in enumerate(rows):
            ours = row["name"].startswith("tinydnn")
            axes.barh(-k, row["images_per_s"], color=BLUE if ours else "#B0B0B0", height=0.7)
            axes.plot([row["p20"], row["p80"]], [-k, -k], color=GREY, linewidth=1)
            axes.text(row["p80"] + 4, -k, f"{row['images_per_s']:.0f}", va="center", size=8.5)
        axes.set_yticks([-k for k in range(len(rows))], [f"{row['name']}, batch {row['batch']}" for row in rows])
        axes.set(xlabel="images/s", xlim=(0, 1.12 * max(row["p80"] for row in rows)))
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(left=False)
        canvas.save(figure, PICTURE)


def main() -> int:
    """Write table and picture, or compare the table; 1 where they differ."""
    results, check = json.loads(RESULTS.read_text()), "--check" in sys.argv[1:]
    if not check:
        draw(results)
    return put("speed", table(results), check=check)


if __name__ == "__main__":
    sys.exit(main())
