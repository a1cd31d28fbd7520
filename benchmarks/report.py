"""The tables of speed in benchmarks/README.md, from `results/train-step.json` and `results/explain-speed.json`.

python benchmarks/report.py            write both, and the plot of training speed
python benchmarks/report.py --check    compare the tables with the results
"""

import json
import sys
from typing import Any

from explain_contestants import CONTESTANTS, STEPS
from matplotlib.figure import Figure
from readme import RESULTS as FOLDER
from readme import update_table

from tinydnn.explain import METHODS
from tinydnn.plots import canvas
from tinydnn.plots.canvas import BLACK, SKY
from tinydnn.words import count

RESULTS, PLOT = FOLDER / "train-step.json", FOLDER / "train-step.png"
EXPLAIN_RESULTS = FOLDER / "explain-speed.json"


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
    settings = results["settings"]
    lines += [
        "",
        f"{conditions(results)}; BLAS core type {results['machine']['core_type']}. "
        f"The arithmetic bound is {settings['bound']:.0f} images/s: "
        f"{settings['flops_per_image'] / 1e9:.2f} GFLOP per image, zeros included, at the "
        f"{results['peaks']['gflops']:.0f} GFLOP/s measured for a large matrix product.",
    ]
    return "\n".join(lines) + "\n"


def explain_table(results: dict[str, Any]) -> str:
    """A row for each method, and what integrated gradients and Grad-CAM cost."""
    lines = [f"| ms per slice | {' | '.join(CONTESTANTS)} | × best of Captum |", "|---|---|---|---|---|"]
    for row in results["rows"]:
        title = METHODS[row["method"]].title
        cells = [f"{row['ms'][name]:.1f}" if name in row["ms"] else "-" for name in CONTESTANTS]
        ratio = f"{row['ratio']:.1f}" if row["ratio"] else "-"
        lines.append(f"| {title} | {' | '.join(cells)} | {ratio} |")
    steps, grad_cam = results["integrated_gradients_in_steps"], results["grad_cam"]
    few, many = (pick(row["images"] for row in results["rows"]) for pick in (min, max))
    lines += [
        "",
        f"{conditions(results)}; load average {results['machine']['load']:.1f}. Methods of many passes explained "
        f"{count(few, 'slice')} at once, the others {many}; median of {count(results['settings']['rounds'], 'round')}. "
        f"{STEPS} steps of integrated gradients cost {steps:.2f} times as much as {STEPS} training steps, forward and "
        f"backward. Grad-CAM of {grad_cam['slices']} slices takes {grad_cam['seconds']:.1f} s.",
    ]
    return "\n".join(lines) + "\n"


def conditions(results: dict[str, Any]) -> str:
    """The machine, the number of threads, the size of the images and the versions of the packages."""
    settings, versions = results["settings"], results["versions"]
    packages = ", ".join(f"{name} {version}" for name, version in versions.items() if version and name != "tinydnn")
    size = f"{settings['size']} × {settings['size']} pixels"
    return f"{results['machine']['cpu']}, {settings['threads']} threads, {size}; {packages}"


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
    """Write the tables and the plot, or compare the tables; return 1 if one differs."""
    results, check = json.loads(RESULTS.read_text()), "--check" in sys.argv[1:]
    if not check:
        canvas.save(draw(results), PLOT)
    differs = update_table("speed", table(results), check=check)
    explained = explain_table(json.loads(EXPLAIN_RESULTS.read_text()))
    return update_table("explain-speed", explained, check=check) or differs


if __name__ == "__main__":
    sys.exit(main())
