"""The table of attention: the networks start alike, and are compared on the same test slices."""

import json

import numpy as np
import pytest

PATIENTS = ("p", "p", "q", "q")
RIGHT = {"average": (1, 0, 0, 1), "attention": (1, 1, 1, 1)}


@pytest.fixture
def folders(tmp_path):
    """A run of two networks by patient, and the predictions of four slices of each."""
    for name, right in RIGHT.items():
        folder = tmp_path / name
        folder.mkdir()
        options = {"options": {"model": name, "split": "patient"}}
        (folder / "config.json").write_text(json.dumps(options))
        report = {"accuracy": sum(right) / 4, "per_patient": {"mean_vote": 0.5}, "training_seconds": 1.0}
        (folder / "metrics.json").write_text(json.dumps(report))
        rows = [f"{n},{patient},a,{'ba'[ok]}" for n, (patient, ok) in enumerate(zip(PATIENTS, right, strict=True))]
        (folder / "predictions.csv").write_text("\n".join(["slice,patient,label,prediction", *rows]) + "\n")
    return [tmp_path / name for name in RIGHT]


def test_networks_that_differ_in_the_pooling_start_with_the_same_values():
    import attention

    x = np.random.default_rng(0).standard_normal((2, 1, 32, 32)).astype(np.float32)
    names = ("average", "attention")
    average, attending = (attention.NETWORKS[name][1](image_size=32, seed=3).predict(x) for name in names)
    np.testing.assert_allclose(average, attending, rtol=1e-5, atol=1e-6)


def test_a_gated_network_has_both_gates_before_the_pooling():
    import attention

    kinds = [type(layer).__name__ for layer in attention.gated_cnn(image_size=32, seed=0).layers]
    assert kinds[12:15] == ["SqueezeExcitation", "SpatialAttention", "GlobalAvgPool2d"]


def test_a_network_is_compared_with_the_reference_slice_by_slice(folders):
    import attention

    average, attending = attention.read(folders)["rows"]
    assert average["difference_interval"] is None
    assert attending["difference"] == 0.5
    assert attending["difference_interval"] == (0.5, 0.5)  # half of the slices of either patient
    assert (attending["slices"], attending["patients"]) == (4, 2)


def test_a_line_has_the_mean_of_the_seeds_and_the_difference():
    import attention

    row = {
        "network": "attention", "split": "patient", "parameters": 1234, "accuracies": [0.8, 0.9],
        "interval": [0.7, 0.95], "difference": 0.031, "difference_interval": [-0.01, 0.07],
        "patients_right": [0.5, 0.75], "slices": 4, "patients": 2, "seconds": [1, 1],
    }  # fmt: skip
    assert attention.line(row) == (
        "| attention pooling (`attention`) | 1,234 | patient | **85.0** | 80.0, 90.0 | 70.0 to 95.0 "
        "| +3.1 (-1.0 to +7.0) | 62.5 |"
    )
    by_slice = attention.line(row | {"split": "slice", "patients_right": None, "difference_interval": None})
    assert by_slice.endswith("| - | - |")


def test_complete_runs_are_kept(slices, tmp_path, monkeypatch, capsys):
    import attention

    from tinydnn import models

    monkeypatch.setitem(models.MODELS, "average", attention.average_cnn)
    monkeypatch.setattr(attention, "NETWORKS", {"average": attention.NETWORKS["average"]})
    monkeypatch.setattr(attention, "SEEDS", (0,))
    monkeypatch.setattr(attention, "TRAINING", {"size": 16, "epochs": 1, "batch_size": 8})
    folders = attention.train(str(slices), tmp_path)
    assert [folder.name for folder in folders] == ["average-patient-0", "average-slice-0"]
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [f.name for f in folders]
    before = [(folder / "metrics.json").stat().st_mtime_ns for folder in folders]
    assert attention.train(str(slices), tmp_path) == folders
    assert [(folder / "metrics.json").stat().st_mtime_ns for folder in folders] == before
    assert capsys.readouterr().out == ""
    assert [row["split"] for row in attention.read(folders)["rows"]] == ["patient", "slice"]
