"""`tinydnn crossval`: folds that train, resume and are reported together."""

import json
import shutil
from types import SimpleNamespace

import pytest

RECIPE = 'model = "batchnorm"\nbatch_size = 16\nepochs = 2\nsize = 16\nlr = 0.01\naugment = "light"\n'


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def no_pictures(monkeypatch):
    for name in ("training_progress", "confusion_matrix", "folds"):
        monkeypatch.setattr(f"tinydnn.plots.{name}", lambda path, **_: None)


def test_every_slice_is_held_out_once_and_the_folder_holds_it_all(command, slices, recipe, tmp_path):
    out = tmp_path / "cv"
    found = command("crossval", slices, "--recipe", recipe, "--folds", 3, "--by", "patient", "--out", out)
    assert (found.status, found.err) == (0, "")
    names = {path.name for path in out.iterdir()}
    assert names == {"fold-01", "fold-02", "fold-03", "crossval.json", "crossval.png", "confusion-matrix.png"}
    report = json.loads((out / "crossval.json").read_text())
    assert (report["split"], report["folds"], report["pooled"]["slices"]) == ("patient", 3, 60)
    assert report["pooled"]["interval_over"] == "patients"
    assert (out / "crossval.png").read_bytes().startswith(b"\x89PNG")
    assert "3 folds by patient" in found.out
    assert "patients right by a vote of their slices" in found.out
    for fold in range(1, 4):
        assert f"fold-{fold:02d}: accuracy " in found.out
        protocol = json.loads((out / f"fold-{fold:02d}" / "metrics.json").read_text())["protocol"]
        assert (protocol["fold"], protocol["folds"]) == (fold, 3)
        assert protocol["test_slices_with_patient_in_training"] == 0


def test_a_fold_that_is_missing_is_run_again_and_ends_the_same(command, slices, recipe, tmp_path, no_pictures):
    out = tmp_path / "cv"
    asked = ("crossval", slices, "--recipe", recipe, "--folds", 2, "--by", "slice", "--out", out)
    assert command(*asked).status == 0
    before = (out / "crossval.json").read_bytes()
    kept = (out / "fold-01" / "model.h5").stat().st_mtime_ns
    shutil.rmtree(out / "fold-02")
    (out / "crossval.json").unlink()
    assert command(*asked, "--resume").status == 0
    assert (out / "crossval.json").read_bytes() == before
    assert (out / "fold-01" / "model.h5").stat().st_mtime_ns == kept


def test_an_option_beside_the_recipe_goes_before_it(command, slices, recipe, tmp_path, no_pictures):
    out = tmp_path / "cv"
    asked = ("crossval", slices, "--recipe", recipe, "--folds", 2, "--epochs", 1, "--crop", "tumour", "--out", out)
    found = command(*asked)
    assert found.status == 0
    assert "cropped by the tumour's mask, a doctor's drawing, at test time too" in found.out
    options = json.loads((out / "fold-01" / "config.json").read_text())["options"]
    assert (options["epochs"], options["crop"], options["augment"]) == (1, "tumour", "light")
    assert json.loads((out / "crossval.json").read_text())["pooled"]["mask_used_at_test"] is True


def test_folds_of_a_recipe_with_a_published_network_are_fine_tunings(command, slices, tmp_path, no_pictures):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('model = "squeezenet1_1"\nweights = "random"\nsize = 48\nbatch_size = 16\nepochs = 1\n')
    out = tmp_path / "folds"
    found = command("crossval", slices, "--recipe", recipe, "--folds", 2, "--out", out)
    assert (found.status, found.err) == (0, "")
    report = json.loads((out / "crossval.json").read_text())
    assert (report["model"], report["pooled"]["slices"]) == ("squeezenet1_1", 60)
    assert report["options"]["weights"] == "random"
    assert "Random weights: nothing was learned from other pictures." in found.out
    phases = json.loads((out / "fold-02" / "metrics.json").read_text())["phases"]
    assert [one["frozen_to"] for one in phases] == ["features"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--by", "scanner"), "--by: expected one of slice, patient, official, found 'scanner'"),
        (("--folds", 1), "--folds: expected at least 2, found 1"),
        (("--folds", 30), "--folds: expected at most 7, the patients of class"),
        (("--recipe", "wurst"), "--recipe: expected one of "),
        (("--by", "official"), "--by official: expected the published fold (cvind.mat) of every slice, found 60"),
        (("--resume",), "--resume: expected the folder of the folds as --out, found none"),
        (("--crop", "half"), "--crop: expected one of none, head, ring, tumour, found 'half'"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(command, slices, recipe, options, words):
    given = () if "--recipe" in options else ("--recipe", recipe)
    found = command("crossval", slices, *given, *options)
    assert found.status == 2
    assert words in found.err
    assert found.err.count("\n") == 1


def test_a_folder_that_holds_folds_is_not_written_over(command, slices, recipe, tmp_path):
    (tmp_path / "cv" / "fold-01").mkdir(parents=True)
    found = command("crossval", slices, "--recipe", recipe, "--out", tmp_path / "cv")
    assert found.status == 2
    assert "holds folds already; choose another folder, or --resume" in found.err


def test_the_augmented_slices_are_drawn(command, slices, tmp_path):
    picture = tmp_path / "grid.png"
    found = command("augment", slices, "--show", picture, "--size", 32, "--augment", "strong", "--crop", "head")
    assert found.status == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "4 slices, as they are and in 5 epochs" in found.out
    found = command("augment", slices, "--show", tmp_path / "grid.jpg")
    assert (found.status, found.err.count("\n")) == (2, 1)


def test_training_takes_changes_of_the_augmentation_one_by_one(command, slices, tmp_path, no_pictures):
    small = ("--size", 16, "--batch-size", 16, "--epochs", 1)
    asked = ("train", slices, *small, "--augment", "light", "--rotate", 20, "--no-flip", "--out", tmp_path / "run")
    assert command(*asked).status == 0
    options = json.loads((tmp_path / "run" / "config.json").read_text())["options"]
    assert options["augment"] == "light,rotate=20,flip=0"
    found = command("train", slices, *small, "--saturation", 0.2, "--out", tmp_path / "grey")
    assert found.status == 2
    assert "MRI slices are grey everywhere" in found.err


def test_a_recipe_may_be_given_to_train_and_what_stands_beside_it_goes_before(command, slices, recipe, tmp_path):
    found = command("train", slices, "--recipe", recipe, "--epochs", 1, "--validation", 0.2, "--out", tmp_path / "run")
    assert found.status == 0
    options = SimpleNamespace(**json.loads((tmp_path / "run" / "config.json").read_text())["options"])
    assert (options.model, options.epochs, options.augment, options.validation) == ("batchnorm", 1, "light", 0.2)
    assert "to choose the best epoch by, 12 held out" in found.out
