"""The table of explanations of several runs, and networks that learn random labels."""

import json

import numpy as np
import pytest

SCORE = {"mean": 0.25, "interval_95": [0.2, 0.301]}
NAMES = ("pointing_game", "energy_inside", "mask_iou", "average_precision")
ENTRY = {
    "name": "rise",
    "title": "RISE",
    "baseline": False,
    "seconds_per_slice": 1.23456,
    "scores": {"all": {"slices": 64, **dict.fromkeys(NAMES, SCORE)}},
    "faithfulness": {"slices": 60, "deletion": SCORE, "insertion": SCORE},
    "sanity": {"slices": 2, "correlations": [0.9, 0.61], "random_pair": 0.5, "verdict": "failed: all layers"},
}
REPORT = {
    "model": "regions",
    "recipe": "fast",
    "data": {"source": "folder of this machine", "synthetic": False},
    "protocol": {
        "crop": "head",
        "size": 128,
        "slices": 490,
        "patients": 23,
        "split": "patient",
        "accuracy": 0.9,
        "interval_over": "patients",
    },
    "mask_share": 0.018,
    "strong_correlation": 0.5,
    "methods": [ENTRY, {**ENTRY, "name": "chance", "title": "Chance", "baseline": True}],
}


@pytest.fixture
def script(tmp_path, monkeypatch):
    """A function that runs the script on results in a temporary folder."""
    import explanations
    import readme

    monkeypatch.setattr(explanations, "RESULTS", tmp_path)
    monkeypatch.setattr(readme, "README", tmp_path / "README.md")
    (tmp_path / "README.md").write_text("<!-- explanations: begin -->\n<!-- explanations: end -->\n")

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["explanations.py", *map(str, arguments)])
        return explanations.main()

    return run


def test_a_section_has_the_protocol_and_a_line_for_each_method():
    import explanations

    heading, _, protocol, _, head, rule, rise, chance, _ = explanations.section(REPORT)
    assert heading == "## fast, 128 pixels, crop head"
    assert "490 test slices of 23 patients, split by patient, 90.0 % classified correctly" in protocol
    cells = " | ".join(["25.0 (20.0 to 30.1)"] * 6)
    assert rise == f"| RISE | 64, 60, 2 | {cells} | 0.90, 0.61 (0.50) | failed: all layers | 1.235 |"
    assert chance.startswith("| *Chance* |")
    assert protocol.endswith(" 0.5 on. The network has learned from tumour masks where to look.")
    assert "fast, learned from masks |" in explanations.overview([REPORT])
    assert "masks" not in explanations.overview([REPORT | {"model": "baseline"}])
    assert head.count("|") == rule.count("|") == rise.count("|")


def test_a_run_with_explanations_is_not_explained_again(script, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "runs" / "fast"
    folder.mkdir(parents=True)
    (folder / "explanations.json").write_text(json.dumps(REPORT))
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("explained again"))
    assert script(folder) == script("--check") == 0
    text = (tmp_path / "explanations.json").read_text()
    assert "this machine" not in text
    assert json.loads(text)[0]["run"] == "fast"
    table = (tmp_path / "explanations.md").read_text()
    (tmp_path / "explanations.md").write_text(table.replace("25.0", "99.0"))
    assert script("--check") == 1
    assert capsys.readouterr().out == "explanations.md: the tables differ from the results\n"


def test_the_overview_has_a_line_for_each_method_and_a_column_for_each_network():
    import explanations

    other = {**REPORT, "recipe": None, "methods": [{**ENTRY, "name": "saliency", "title": "Saliency"}]}
    assert explanations.overview([REPORT, other]).splitlines() == [
        "| average precision % | fast, learned from masks | regions, learned from masks |",
        "|---|---|---|",
        "| RISE | 25.0 (20.0 to 30.1) | - |",
        "| Saliency | - | 25.0 (20.0 to 30.1) |",
        "| *Chance* | 25.0 (20.0 to 30.1) | - |",
    ]


def test_a_run_without_explanations_is_explained(script, tmp_path, monkeypatch):
    def explain(command, *, check):
        assert command[1:5] == ["-m", "tinydnn", "explain", "evaluate"]
        (tmp_path / "explanations.json").write_text(json.dumps(REPORT))

    monkeypatch.setattr("subprocess.run", explain)
    assert script(tmp_path) == 0


def test_networks_that_learn_random_labels_are_compared(learnable, tmp_path, monkeypatch, capsys):
    import random_labels

    from tinydnn import plots
    from tinydnn.data.load import load
    from tinydnn.runs import Options, Run

    monkeypatch.setattr(plots, "save", lambda *_: None)
    monkeypatch.setattr(random_labels, "EPOCHS", 3)
    (tmp_path / "slices").mkdir()
    data = str(learnable(tmp_path / "slices", 36))
    run = Run(tmp_path / "run", Options(data=data, size=16, batch_size=8, epochs=1), load(data, size=16))
    run.start()
    list(run.records())
    run.finish()
    shuffled = []
    fit = random_labels.fit
    monkeypatch.setattr(
        random_labels, "fit", lambda *arguments: shuffled.append(arguments[1].labels) or fit(*arguments)
    )
    arguments = [str(tmp_path / "run"), "--slices", "16", "--method", "saliency"]
    monkeypatch.setattr("sys.argv", ["random_labels.py", *arguments])
    random_labels.main()
    lines = capsys.readouterr().out.splitlines()
    assert sum("labels fitted in" in line for line in lines) == 3
    assert {line.split()[0] for line in lines if line.endswith("failed")} >= {"Centre", "Edge", "Chance"}
    true, again, random = shuffled
    assert (true == again).all()
    assert (true != random).any()
    assert np.bincount(true).tolist() == np.bincount(random).tolist()
