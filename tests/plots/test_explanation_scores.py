"""Plots of explanation reports: legible, for few and many methods, and true to the report."""

from typing import Any

import numpy as np
import pytest
from legibility import draw, problems

from tinydnn import plots
from tinydnn.explain.baselines import BASELINES
from tinydnn.explain.mask_scores import MASK_SCORES
from tinydnn.explain.sanity import Cascade
from tinydnn.plots.explanation_curves import VERDICTS

BLUE = "#0072B2"


def entry(name: str, title: str, rng: np.random.Generator, *, baseline: bool, layers: int, slices: int) -> Any:
    """A method of a report with random figures."""

    def score() -> Any:
        low, mean, high = sorted(rng.random(3).tolist())
        return {"mean": mean, "interval_95": [low, high]}

    correlations = rng.uniform(-0.4, 1, layers).tolist()
    return {
        "name": name,
        "title": title,
        "baseline": baseline,
        "scores": {"all": {"slices": slices, **{score_.name: score() for score_ in MASK_SCORES}}},
        "faithfulness": {
            "slices": 64,
            "deletion": score(),
            "insertion": score(),
            "deletion_curve": sorted(rng.random(17).tolist(), reverse=True),
            "insertion_curve": sorted(rng.random(17).tolist()),
        },
        "sanity": {
            "slices": 1,
            "layers": [f"{k:02d}-conv2d" for k in range(layers)],
            "correlations": correlations,
            "random_pair": float(rng.uniform(-0.4, 1)),
            "verdict": Cascade((), tuple(correlations), 0.0).verdict,
        },
    }


def make_report(methods: int, layers: int) -> dict[str, Any]:
    rng = np.random.default_rng(methods)
    titles = [f"Guided backpropagation {k}" for k in range(methods)]
    entries = [
        entry(f"m{k}", title, rng, baseline=False, layers=layers, slices=64 if k else 490)
        for k, title in enumerate(titles)
    ]
    entries += [entry(m.name, m.title, rng, baseline=True, layers=layers, slices=490) for m in BASELINES.values()]
    return {"protocol": {"slices": 490}, "strong_correlation": 0.5, "methods": entries}


@pytest.mark.parametrize("plot", [plots.explanation_scores, plots.faithfulness, plots.sanity])
@pytest.mark.parametrize(("methods", "layers"), [(1, 1), (12, 26), (5, 6)])
def test_every_text_is_legible(plot: Any, methods: int, layers: int) -> None:
    figure = plot(report=make_report(methods, layers), title="baseline, 490 test slices", note="note " * 60)
    assert problems(draw(figure)) == []


def test_a_score_without_an_interval_is_a_dot_alone() -> None:
    report = make_report(1, 1)
    report["methods"][0]["scores"]["all"]["pointing_game"]["interval_95"] = None
    panels = plots.explanation_scores(report=report, title="").axes
    assert [len(axes.lines) for axes in panels] == [8, 9, 9, 9]  # two for each of four rows, and the dividing line


def test_methods_are_sorted_and_baselines_stand_apart() -> None:
    report = make_report(5, 6)
    figure = plots.explanation_scores(report=report, title="")
    draw(figure)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    precision = {one["title"]: one["scores"]["all"]["average_precision"]["mean"] for one in report["methods"]}
    own = [label.removesuffix(" (64 slices)") for label in labels[:5]]
    assert own == sorted(own, key=lambda title: -precision[title])
    assert set(labels[5:]) == {baseline.title for baseline in BASELINES.values()}
    assert sum(label.endswith("(64 slices)") for label in labels) == 4
    colours = [line.get_color() for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert colours[:5] == [BLUE] * 5
    assert BLUE not in colours[5:]


def test_a_method_that_fails_is_drawn_in_another_colour() -> None:
    report = make_report(5, 6)
    figure = plots.sanity(report=report, title="")
    for axes, one in zip(figure.axes, report["methods"], strict=False):
        (curve,) = [line for line in axes.lines if line.get_marker() == "o"]
        assert curve.get_ydata().tolist() == [1.0, *one["sanity"]["correlations"]]
        assert curve.get_color() == VERDICTS[one["sanity"]["verdict"]]


def test_curves_are_compared_with_chance_if_it_is_there() -> None:
    report = make_report(1, 6)
    assert len(plots.faithfulness(report=report, title="").axes[0].lines) == 4
    report["methods"] = report["methods"][:1]
    assert len(plots.faithfulness(report=report, title="").axes[0].lines) == 2
