"""The table of transfer learning: the layers trained in each phase, the weights, and no votes by slice."""

import json

import pytest

OPTIONS = {
    "model": "vgg16", "weights": "some/file", "size": 128, "epochs": 7, "split": "patient", "test_fraction": 0.2,
    "folds": 5, "crop": "none", "data": "x",
}  # fmt: skip
FIGURES = {
    "accuracy": 0.9,
    "accuracy_interval_95": [0.85, 0.94],
    "interval_over": "patients",
    "slices": 100,
    "patients": 20,
    "per_patient": {"mean_vote": 0.75},
    "feature_seconds": 3.0,
    "phases": [
        {"first_epoch": 1, "frozen_to": "features", "training_seconds": 1.2},
        {"first_epoch": 4, "frozen_to": "features.23", "training_seconds": 99.7},
    ],
}
WHOLE = [{"first_epoch": 1, "frozen_to": None, "training_seconds": 5.0}]


@pytest.fixture
def folders(tmp_path):
    """A run that thaws, a run with random weights by slice, and folds."""
    thawed = {"weights": "random", "split": "slice", "crop": "head"}
    for name, options, metrics in (
        ("thaws", OPTIONS, FIGURES),
        ("random", OPTIONS | thawed, FIGURES | {"phases": WHOLE}),
        ("folds/fold-01", OPTIONS, FIGURES | {"accuracy": 0.1}),
    ):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.json").write_text(json.dumps({"options": options}))
        (tmp_path / name / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "folds" / "crossval.json").write_text(json.dumps({"pooled": FIGURES}))
    return [tmp_path / name for name in ("thaws", "random", "folds")]


def test_each_line_has_the_trained_layers_and_the_protocol(folders):
    import transfer

    thaws, random, folds = map(transfer.line, transfer.read(folders))
    assert thaws == (
        "| VGG-16, 128 pixels | the head, 3 epochs, then all after features.23, 4 epochs | patient, 20 % held out "
        "| 100 slices of 20 patients | **90.0** | 85.0 to 94.0 (patients) | 75.0 | 1 + 100 |"
    )
    assert random.startswith("| VGG-16, random weights, 128 pixels, crop head | all, 7 epochs | slice, 20 % held out |")
    assert random.endswith("| - | 5 |")
    assert "| patient, 5 folds | 100 slices of 20 patients | **90.0** |" in folds


def test_the_script_writes_the_table(folders, tmp_path, monkeypatch, capsys):
    import readme
    import transfer

    page = tmp_path / "README.md"
    page.write_text("before\n<!-- transfer: begin -->\nold\n<!-- transfer: end -->\nafter\n")
    monkeypatch.setattr(readme, "README", page)
    monkeypatch.setattr(readme, "RESULTS", tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["transfer.py", *map(str, arguments)])
        return transfer.main()

    assert run(*folders) == run("--check") == 0
    rows = "\n".join(map(transfer.line, transfer.read(folders)))
    assert page.read_text().startswith("before\n<!-- transfer: begin -->\n| network |")
    assert page.read_text().endswith(f"|\n{rows}\n<!-- transfer: end -->\nafter\n")
    page.write_text(page.read_text().replace("90.0", "99.0"))
    assert run("--check") == 1
    assert capsys.readouterr().out == "README.md: the table transfer differs from the results\n"
