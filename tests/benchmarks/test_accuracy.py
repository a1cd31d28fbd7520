"""The table of accuracy: seeds are averaged; a cross-validation keeps its interval."""

import json

import pytest

FIGURES = {
    "accuracy": 0.9,
    "accuracy_interval_95": [0.85, 0.94],
    "interval_over": "patients",
    "slices": 100,
    "patients": 20,
    "per_class": {"a": {"recall": 0.8}, "b": {"recall": None}},
    "per_patient": {"mean_vote": 0.75},
    "crop": "none",
    "mask_used_at_test": False,
    "synthetic": False,
}
OPTIONS = {"recipe": "fast", "model": "regions", "split": "patient", "test_fraction": 0.2, "data": "x"}


@pytest.fixture
def folders(tmp_path):
    """Two runs that differ in their seed, a run by slice, and a cross-validation with a crop."""
    for name, seed, share, split in (
        ("seed-0", 0, 0.9, "patient"),
        ("seed-1", 1, 0.8, "patient"),
        ("by-slice", 0, 0.95, "slice"),
    ):
        (tmp_path / name).mkdir()
        options = OPTIONS | {"seed": seed, "split": split, "data": name}
        (tmp_path / name / "config.json").write_text(json.dumps({"options": options}))
        (tmp_path / name / "metrics.json").write_text(json.dumps(FIGURES | {"accuracy": share}))
    (tmp_path / "cv").mkdir()
    cropped = FIGURES | {"crop": "tumour-0.2", "mask_used_at_test": True}
    report = {"recipe": "best", "model": "regions", "split": "patient", "folds": 5, "pooled": cropped}
    (tmp_path / "cv" / "crossval.json").write_text(json.dumps(report))
    return [tmp_path / name for name in ("seed-0", "seed-1", "by-slice", "cv")]


def test_seeds_are_averaged_and_a_cross_validation_keeps_its_interval(folders):
    import accuracy

    rows = {(row["recipe"], row["split"]): row for row in accuracy.read(folders)}
    assert len(rows) == 3
    averaged = rows["fast", "patient"]
    assert averaged["accuracy"] == pytest.approx(0.85)
    assert (averaged["low"], averaged["high"], averaged["seeds"]) == (0.8, 0.9, 2)
    pooled = rows["best", "patient"]
    assert (pooled["low"], pooled["high"], pooled["range"]) == (0.85, 0.94, "95 % over patients")


def test_the_table_marks_masks_used_at_test_and_omits_votes_by_slice(folders):
    import accuracy

    lines = accuracy.table(accuracy.read(folders)).splitlines()
    assert lines[0].endswith("recall %: a, b |")
    by_patient, by_slice, cropped = lines[2:5]
    assert "**85.0** | 80.0 to 90.0 (lowest and highest of 2 seeds) | 75.0 | 80.0, 0.0 |" in by_patient
    assert "| slice, 20 % held out |" in by_slice
    assert "85.0 to 94.0 (95 % over patients, one seed) | - |" in by_slice
    assert cropped.startswith("| best, crop tumour-0.2 (mask used at test) | patient, 5 folds |")
    assert any("89.89" in line for line in lines[5:])
