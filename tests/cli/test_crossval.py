"""`tinydnn crossval`: train and resume folds, and report them together; recipes and `tinydnn augment`."""

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


def test_every_slice_is_held_out_once(command, slices, recipe, tmp_path):
    out = tmp_path / "cv"
    result = command("crossval", slices, "--recipe", recipe, "--folds", 3, "--by", "patient", "--out", out)
    assert (result.status, result.err) == (0, "")
    names = {path.name for path in out.iterdir()}
    assert names == {"fold-01", "fold-02", "fold-03", "crossval.json", "crossval.png", "confusion-matrix.png"}
    report = json.loads((out / "crossval.json").read_text())
    assert (report["split"], report["folds"], report["pooled"]["slices"]) == ("patient", 3, 60)
    assert report["pooled"]["interval_over"] == "patients"
    assert (out / "crossval.png").read_bytes().startswith(b"\x89PNG")
    assert "3 folds by patient" in result.out
    assert "patients classified correctly by a vote of their slices" in result.out
    for fold in range(1, 4):
        assert f"fold-{fold:02d}: accuracy " in result.out
        protocol = json.loads((out / f"fold-{fold:02d}" / "metrics.json").read_text())["protocol"]
        assert (protocol["fold"], protocol["folds"]) == (fold, 3)
        assert protocol["test_slices_with_patient_in_training"] == 0


def test_a_missing_fold_is_run_again_with_the_same_result(command, slices, recipe, tmp_path, no_plots):
    out = tmp_path / "cv"
    arguments = ("crossval", slices, "--recipe", recipe, "--folds", 2, "--by", "slice", "--out", out)
    assert command(*arguments).status == 0
    before = (out / "crossval.json").read_bytes()
    before_fold = (out / "fold-01" / "model.h5").stat().st_mtime_ns
    shutil.rmtree(out / "fold-02")
    (out / "crossval.json").unlink()
    assert command(*arguments, "--resume").status == 0
    assert (out / "crossval.json").read_bytes() == before
    assert (out / "fold-01" / "model.h5").stat().st_mtime_ns == before_fold


def test_an_explicit_option_overrides_the_recipe(command, slices, recipe, tmp_path, no_plots):
    out = tmp_path / "cv"
    arguments = ("crossval", slices, "--recipe", recipe, "--folds", 2, "--epochs", 1, "--crop", "tumour", "--out", out)
    result = command(*arguments)
    assert result.status == 0
    assert "cropped by the tumour's mask, drawn by a doctor, at test time too" in result.out
    options = json.loads((out / "fold-01" / "config.json").read_text())["options"]
    assert (options["epochs"], options["crop"], options["augment"]) == (1, "tumour", "light")
    assert json.loads((out / "crossval.json").read_text())["pooled"]["mask_used_at_test"] is True


def test_a_recipe_with_a_pretrained_network_fine_tunes_it_in_each_fold(command, slices, tmp_path, no_plots):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('model = "squeezenet1_1"\nweights = "random"\nsize = 48\nbatch_size = 16\nepochs = 1\n')
    out = tmp_path / "folds"
    result = command("crossval", slices, "--recipe", recipe, "--folds", 2, "--out", out)
    assert (result.status, result.err) == (0, "")
    report = json.loads((out / "crossval.json").read_text())
    assert (report["model"], report["pooled"]["slices"]) == ("squeezenet1_1", 60)
    assert report["options"]["weights"] == "random"
    assert "Weights: random, not pretrained" in result.out
    phases = json.loads((out / "fold-02" / "metrics.json").read_text())["phases"]
    assert [phase["frozen_to"] for phase in phases] == ["features"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--by", "scanner"), "'--by': 'scanner' is not one of 'slice', 'patient', 'official'"),
        (("--folds", 1), "--folds: expected at least 2, found 1"),
        (("--folds", 30), "--folds: expected at most 7, the patients of class"),
        (("--recipe", "wurst"), "--recipe: expected one of "),
        (("--by", "official"), "--by official: expected the published fold (cvind.mat) of every slice, found 60"),
        (("--resume",), "--resume: expected the folder of the folds as --out, found none"),
        (("--crop", "half"), "--crop: expected one of none, head, ring, tumour, found 'half'"),
    ],
)
def test_invalid_options_are_reported_in_one_line(command, slices, recipe, options, words):
    recipe_option = () if "--recipe" in options else ("--recipe", recipe)
    result = command("crossval", slices, *recipe_option, *options)
    assert result.status == 2
    assert words in result.err
    assert result.err.count("\n") == 1


def test_folds_are_replaced_only_on_request(command, slices, recipe, tmp_path, no_plots):
    out = tmp_path / "cv"
    arguments = ("crossval", slices, "--recipe", recipe, "--out", out)
    for fold in ("fold-01", "fold-09"):
        (out / fold).mkdir(parents=True)
        (out / fold / "metrics.json").write_text("{}")
    result = command(*arguments, "--folds", 2)
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "fold-01 holds a run already; choose another folder, or --overwrite it" in result.err
    assert command(*arguments, "--folds", 2, "--overwrite").status == 0
    assert sorted(path.name for path in out.glob("fold-*")) == ["fold-01", "fold-02"]
    assert json.loads((out / "fold-01" / "metrics.json").read_text())["slices"] == 30


def test_an_invalid_option_leaves_the_folds_that_it_would_replace(command, slices, recipe, tmp_path):
    fold = tmp_path / "cv" / "fold-01"
    fold.mkdir(parents=True)
    (fold / "metrics.json").write_text("{}")
    recipe.write_text(recipe.read_text().replace("batch_size = 16", "batch_size = 500"))
    result = command("crossval", slices, "--recipe", recipe, "--folds", 2, "--out", tmp_path / "cv", "--overwrite")
    assert result.status == 2
    assert "batch size: expected at most" in result.err
    assert (fold / "metrics.json").read_text() == "{}"


@pytest.mark.parametrize("options", [(), ("--overwrite",), ("--resume",)])
def test_the_folder_of_a_training_run_takes_no_folds(command, slices, recipe, trained, options):
    before = (trained.folder / "confusion-matrix.png").read_bytes()
    result = command("crossval", slices, "--recipe", recipe, "--out", trained.folder, *options)
    assert result.status == 2
    assert "holds a training run; choose another folder" in result.err
    assert (trained.folder / "confusion-matrix.png").read_bytes() == before


def test_a_report_is_not_replaced_without_overwrite(command, slices, recipe, tmp_path):
    (tmp_path / "crossval.json").write_text("{}")
    result = command("crossval", slices, "--recipe", recipe, "--out", tmp_path)
    assert result.status == 2
    assert "holds a report already; choose another folder, or --overwrite it" in result.err


def test_augmented_slices_are_plotted(command, slices, tmp_path):
    plot = tmp_path / "grid.png"
    result = command("augment", slices, "--show", plot, "--size", 32, "--augment", "strong", "--crop", "head")
    assert result.status == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "4 slices, the original and in 5 epochs" in result.out


def test_the_suffix_of_the_picture_is_checked_before_the_data_is_read(command, tmp_path):
    result = command("augment", tmp_path / "nothing", "--show", "grid.jpg")
    assert result.status == 2
    assert result.err == "tinydnn: --show: expected a name that ends in .png, .svg or .pdf, found grid.jpg\n"


def test_the_picture_of_augmented_slices_names_each_change_with_its_unit(command, slices, tmp_path, monkeypatch):
    titles = []
    monkeypatch.setattr("tinydnn.plots.augmentation", lambda *, title, **_: titles.append(title))
    monkeypatch.setattr("tinydnn.plots.save", lambda *_: None)
    changes = "rotate=15,shift=0.05,zoom=0.1,flip,brightness=0.2,contrast=0.125,cutout=0.3"
    command("augment", slices, "--show", tmp_path / "grid.pdf", "--size", 32, "--augment", changes)
    command("augment", slices, "--show", tmp_path / "grid.pdf", "--size", 32, "--augment", "none")
    assert [title.partition("32 pixels; ")[2] for title in titles] == [
        "rotated by up to 15°, shifted by up to 5 % of the side, zoomed by up to 10 %, flipped with a probability of "
        "50 %, brightness changed by up to 20 %, contrast changed by up to 12.5 %, a square of 30 % of the side "
        "blackened",
        "no change",
    ]


def test_train_has_an_option_for_each_change_of_the_augmentation(command, slices, tmp_path, no_plots):
    small = ("--size", 16, "--batch-size", 16, "--epochs", 1)
    arguments = ("train", slices, *small, "--augment", "light", "--rotate", 20, "--no-flip", "--out", tmp_path / "run")
    assert command(*arguments).status == 0
    options = json.loads((tmp_path / "run" / "config.json").read_text())["options"]
    assert options["augment"] == "light,rotate=20,flip=0"


def test_an_explicit_option_of_train_overrides_the_recipe(command, slices, recipe, tmp_path):
    result = command("train", slices, "--recipe", recipe, "--epochs", 1, "--validation", 0.2, "--out", tmp_path / "run")
    assert result.status == 0
    options = SimpleNamespace(**json.loads((tmp_path / "run" / "config.json").read_text())["options"])
    assert (options.model, options.epochs, options.augment, options.validation) == ("batchnorm", 1, "light", 0.2)
    assert "to select the best epoch, 12 to test" in result.out
