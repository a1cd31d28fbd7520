"""Figures of several runs in one pair of axes."""

from collections.abc import Callable

from markupsafe import Markup

from tinydnn.metrics import roc_curve
from tinydnn.runs.html_report import svg
from tinydnn.runs.html_report.page import percent
from tinydnn.runs.html_report.ranking import areas
from tinydnn.runs.html_report.results import Results
from tinydnn.runs.html_report.section import Section
from tinydnn.training.protocol import Validation

Runs = dict[str, Results]


def accuracies(runs: Runs) -> Markup:
    """The accuracy of each run and its interval, from top to bottom."""
    with svg.panel(height=0.75 + 0.32 * len(runs)) as (figure, axes):
        for y, results in enumerate(runs.values()):
            colour = svg.class_colour(y)
            low, high = (100 * bound for bound in results.metrics["accuracy_interval_95"])
            axes.plot([low, high], [y, y], color=colour, linewidth=2, solid_capstyle="butt")
            axes.plot(100 * results.metrics["accuracy"], y, svg.class_marker(y), color=colour, markersize=7)
        axes.set(xlabel="Accuracy (%), 95 % interval", ylim=(len(runs) - 0.5, -0.5), yticks=range(len(runs)))
        axes.set_yticklabels(list(runs))
        axes.grid(visible=True, axis="x")
        values = [f"{letter} {percent(results.metrics['accuracy'])}" for letter, results in runs.items()]
        return svg.inline(figure, "accuracies", f"Accuracy with 95 % interval: {', '.join(values)}")


def training(runs: Runs) -> Section:
    """Accuracy and loss of the held-out slices of each run, by epoch."""
    panels = [
        _panel(runs, "accuracy", "Held-out accuracy (%)", lambda record: 100 * record.accuracy),
        _panel(runs, "loss", "Held-out loss", lambda record: record.loss),
    ]
    held_out = {letter: "validation" if results.metrics["best_epoch"] else "test" for letter, results in runs.items()}
    return Section("training", "Training", {"panels": panels, "held_out": held_out})


def _panel(runs: Runs, name: str, title: str, value: Callable[[Validation], float]) -> Markup:
    from matplotlib.ticker import MaxNLocator

    with svg.panel() as (figure, axes):
        for k, (letter, results) in enumerate(runs.items()):
            records = [record for record in results.records if isinstance(record, Validation)]
            axes.plot(
                [record.epoch for record in records], [value(record) for record in records],
                color=svg.class_colour(k), linestyle=svg.class_dashes(k), marker=svg.class_marker(k), markersize=4,
                label=letter,
            )  # fmt: skip
        axes.set(xlabel="Epoch", ylabel=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(visible=True)
        axes.legend(fontsize=8)
        return svg.inline(figure, f"held-out-{name}", f"{title} by epoch of the runs {', '.join(runs)}")


def ranking(runs: Runs) -> Section:
    """The ROC curves of each class, one panel a class, and the areas with their intervals."""
    panels, rows = [], []
    names = next(iter(runs.values())).class_names
    for k, name in enumerate(names):
        with svg.panel(width=3.6, height=3.6) as (figure, axes):
            axes.plot([0, 1], [0, 1], color=svg.MUTED, linewidth=1, linestyle=(0, (1, 3)), label="chance")
            for i, (letter, results) in enumerate(runs.items()):
                positive, scores = results.labels == k, results.probabilities[:, k]
                row = areas(name, positive, scores, results.units)
                rows.append({"letter": letter, "over": results.metrics["interval_over"], **row})
                if row["area"] is not None:
                    x, y = roc_curve(positive, scores)
                    axes.plot(x, y, color=svg.class_colour(i), linestyle=svg.class_dashes(i), label=letter)
            axes.set(xlabel="False positive rate", ylabel="True positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
            axes.set_aspect("equal")
            axes.grid(visible=True)
            axes.legend(loc="lower right", fontsize=8)
            label = f"ROC curves of the class {name} in the runs {', '.join(runs)}"
            panels.append((name, svg.inline(figure, f"roc-{k}", label)))
    return Section("rankings", "Ranking: ROC curves", {"panels": panels, "rows": rows})
