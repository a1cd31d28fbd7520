"""Invalid files, options, models and folders: a message of one or two lines, exit status 2, no traceback."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image

from tinydnn.checkpoint import SavedModel, save_model
from tinydnn.data.normalise import Normalisation
from tinydnn.data.phantoms.matlab import write_slice
from tinydnn.layers import Flatten, Linear, Sequential

SMALL = {"--size": "16", "--batch-size": "16", "--epochs": "1"}


def edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def replace_in_slice(name, array):
    def change(file):
        del file[f"cjdata/{name}"]
        file[f"cjdata/{name}"] = array

    return change


def make_slices(home, slices):
    """Folders of ten slices each, of which 5.mat has a fault."""
    faults = {
        "truncated": lambda path: path.write_bytes(path.read_bytes()[:700]),
        "text": lambda path: path.write_text("hello"),
        "empty-file": lambda path: path.write_bytes(b""),
        "no-struct": lambda path: edit(path, lambda file: file.move("cjdata", "other")),
        "label-7": lambda path: edit(path, replace_in_slice("label", np.array([[7.0]]))),
        "rank-3": lambda path: edit(path, replace_in_slice("image", np.zeros((4, 4, 4), np.int16))),
        "nan": lambda path: edit(path, replace_in_slice("image", np.full((32, 32), np.nan))),
        "no-pid": lambda path: edit(path, lambda file: file.__delitem__("cjdata/PID")),
        "mask-size": lambda path: edit(path, replace_in_slice("tumorMask", np.zeros((3, 3), np.uint8))),
    }
    for name, damage in faults.items():
        (home / name).mkdir()
        for number in range(1, 11):
            shutil.copy(slices / f"{number}.mat", home / name)
        damage(home / name / "5.mat")


def make_other_data(home, slices):
    (home / "empty").mkdir()
    (home / "words.txt").write_text("hello")
    (home / "zip.zip").write_bytes(b"PK\x03\x04 not really")
    with zipfile.ZipFile(home / "no-mat.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    (home / "three").mkdir()
    for number in range(3, 6):  # one class, one patient
        shutil.copy(slices / f"{number}.mat", home / "three")
    for classes, folder in ((["single"], "one-class"), (["cat", "dog"], "pets")):
        for name in classes:
            (home / folder / name).mkdir(parents=True)
            for number in range(6):
                Image.fromarray(np.eye(16, dtype=np.uint8) * number).save(home / folder / name / f"{number}.png")
    shutil.copytree(home / "pets", home / "broken-pets")
    (home / "broken-pets" / "cat" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (home / "other.h5").write_bytes(b"\x89HDF\r\n\x1a\n and then nothing")
    with h5py.File(home / "foreign.h5", "w") as file:
        file["x"] = [1.0]
    write_slice(home / "wrong-rank.mat", image=np.eye(8), mask=np.eye(8), label=1, pid="MR1", border=[1, 1])
    edit(home / "wrong-rank.mat", replace_in_slice("image", np.zeros((2, 2, 2), np.int16)))
    noise = np.random.default_rng(0).integers(0, 255, (32, 32)).astype(np.uint8)
    Image.fromarray(noise).save(home / "half.png")
    (home / "half.png").write_bytes((home / "half.png").read_bytes()[:500])
    (home / "text.jpg").write_text("hello")
    Image.new("L", (16, 16)).save(home / "picture.gif")


def make_models(home, model):
    data = model.read_bytes()
    (home / "half-model.h5").write_bytes(data[: len(data) // 2])
    changes = {
        "newer-model.h5": lambda file: file.attrs.__setitem__("version", 99),
        "altered-model.h5": lambda file: file["layers/00-conv2d/bias"].__setitem__(0, 5.0),
        "foreign-layer.h5": lambda file: file["layers/01-relu"].attrs.__setitem__("kind", "os.system"),
    }
    for name, change in changes.items():
        shutil.copy(model, home / name)
        edit(home / name, change)
    colour = Sequential(Flatten(), Linear(3 * 16 * 16, 3, rng=np.random.default_rng(0)), input_shape=(3, 16, 16))
    names = ("meningioma", "glioma", "pituitary")
    save_model(home / "colour.h5", SavedModel(colour, Normalisation("standard", 0.0, 1.0), names))


def make_runs(home, run):
    for name in ("text-config", "no-config", "half-checkpoint", "other-data", "other-model"):
        shutil.copytree(run, home / name)
        (home / name / "metrics.json").unlink()
    (home / "text-config" / "config.json").write_text("{")
    (home / "no-config" / "config.json").unlink()
    data = (run / "checkpoint.h5").read_bytes()
    (home / "half-checkpoint" / "checkpoint.h5").write_bytes(data[: len(data) // 2])
    config = json.loads((run / "config.json").read_text())
    config["data"]["content"] = "0" * 64
    (home / "other-data" / "config.json").write_text(json.dumps(config))
    config = json.loads((run / "config.json").read_text())
    config["options"]["model"] = "batchnorm"
    (home / "other-model" / "config.json").write_text(json.dumps(config))


@pytest.fixture(scope="module")
def home(slices, trained, tmp_path_factory):
    """A folder of broken files; `slices`, `run` and `model.h5` are valid."""
    home = tmp_path_factory.mktemp("broken")
    (home / "slices").symlink_to(slices)
    (home / "run").symlink_to(trained.folder)
    (home / "model.h5").symlink_to(trained.model)
    make_slices(home, slices)
    make_other_data(home, slices)
    make_models(home, trained.model)
    make_runs(home, trained.folder)
    return home


def slice_faults(fragment_by_folder):
    return [(f"train {folder} --out new", fragment) for folder, fragment in fragment_by_folder.items()]


BROKEN = [
    # data
    ("train nowhere --out new", "nowhere: expected a folder of .mat files"),
    ("train empty --out new", "empty: expected a folder of .mat files"),
    ("train words.txt --out new", "words.txt: expected a folder of .mat files"),
    ("train zip.zip --out new", "zip.zip: cannot be read (File is not a zip file)"),
    ("train no-mat.zip --out new", "no-mat.zip: expected a folder of .mat files"),
    ("train one-class --out new", "one-class: expected a sub-folder of images for each"),
    ("train broken-pets --out new", "cat/0.png: expected a"),
    ("train other.h5 --out new", "other.h5: expected a prepared dataset (HDF5), found another or a damaged file"),
    ("train foreign.h5 --out new", "foreign.h5: expected a prepared dataset, found an HDF5 file of another kind"),
    ("train model.h5 --out new", "model.h5: expected a prepared dataset, found an HDF5 file of another kind"),
    ("train three --out new", "batch size: expected at most 2, the number of training slices, found 16"),
    ("train three --split patient --out new", "split by patient: expected every class on both sides"),
    ("train pets --split patient --out new", "expected the patient of every slice, found 12 slices without"),
    *slice_faults(
        {
            "truncated": "5.mat: expected a MATLAB v7.3 (HDF5) file, found one that cannot be read",
            "text": "5.mat: expected a MATLAB v7.3 (HDF5) file",
            "empty-file": "5.mat: expected a MATLAB v7.3 (HDF5) file",
            "no-struct": "5.mat: expected a struct cjdata, found other",
            "label-7": "5.mat: cjdata.label: expected 1, 2 or 3, found 7",
            "rank-3": "5.mat: cjdata.image: expected a matrix (rows, columns), found shape (4, 4, 4)",
            "nan": "5.mat: cjdata.image: expected finite values, found NaN",
            "no-pid": "5.mat: cjdata.PID is missing",
            "mask-size": "5.mat: cjdata.tumorMask: expected the image's (32, 32) pixels, found (3, 3)",
        }
    ),
    # options of train
    (
        "train slices --out new --model vgg",
        "--model: expected one of baseline, batchnorm, regions, large-regions, attention, vit-tiny, found 'vgg'",
    ),
    ("train slices --out new --optimizer lion", "--optimizer: expected one of sgd, adam, found 'lion'"),
    ("train slices --out new --schedule zigzag", "--schedule: expected one of constant, step, cosine, one-cycle"),
    ("train slices --out new --split fold", "--split: expected one of slice, patient, found 'fold'"),
    ("train slices --out new --normalise max", "--normalise: expected one of standard, minmax, found 'max'"),
    ("train slices --out new --epochs 0", "--epochs: expected at least 1, found 0"),
    ("train slices --out new --epochs ten", "--epochs"),
    ("train slices --out new --epochs 1.5", "--epochs"),
    ("train slices --out new --batch-size 0", "--batch-size: expected at least 1, found 0"),
    (
        "train slices --out new --batch-size 49",
        "batch size: expected at most 48, the number of training slices, found 49",
    ),
    ("train slices --out new --lr 0", "--lr: expected a number above 0, found 0.0"),
    ("train slices --out new --lr nan", "--lr: expected a number above 0, found nan"),
    ("train slices --out new --lr -1", "--lr: expected a number above 0, found -1.0"),
    ("train slices --out new --momentum 1", "--momentum: expected at least 0 and below 1, found 1.0"),
    ("train slices --out new --weight-decay inf", "--weight-decay: expected a number of at least 0, found inf"),
    ("train slices --out new --test-fraction 1.5", "--test-fraction: expected a number between 0 and 1, found 1.5"),
    ("train slices --out new --test-fraction 0.001", "split by slice: expected every class on both sides"),
    ("train slices --out new --size 8", "--size: expected 16 to 1024 pixels, found 8"),
    ("train slices --out new --seed -1", "--seed: expected at least 0, found -1"),
    ("train slices --out new --device tpu", 'device: expected "cpu", "cuda" or "cuda:N", found \'tpu\''),
    ("train slices --out new --speed 3", "No such option: --speed"),
    ("train slices more --out new", "more"),
    # folders of runs
    ("train slices --out run", "--out: run holds a run already; choose another folder, --resume it or --overwrite it"),
    ("train slices --out no-config", "--out: no-config holds a run already"),
    ("train slices --out words.txt", "--out: expected a folder, found a file at words.txt"),
    ("train slices --out words.txt/run", "words.txt"),
    ("train slices --resume", "--resume: expected the run's folder as --out, found none"),
    ("train slices --out text-config --resume", "config.json: expected the configuration of a run"),
    ("train slices --out no-config --resume", "no-config: expected a run to resume, found no config.json"),
    ("train slices --out half-checkpoint --resume", "checkpoint.h5: expected an intact tinydnn model"),
    ("train slices --out other-data --resume", "other-data: the data is not what this run began with"),
    ("train slices --out other-model --resume", "checkpoint.h5: expected an intact tinydnn model"),
    ("train slices --out run --resume --seed 4", "--seed: expected 0, with which the run in run began, found 4"),
    ("train slices --out run --resume --lr 1", "--lr: expected 0.01, with which the run in run began, found 1.0"),
    # models
    ("evaluate nothing.h5 slices", "nothing.h5: expected a tinydnn model, found no such file"),
    ("evaluate slices slices", "slices: expected a tinydnn model, found a folder"),
    ("evaluate words.txt slices", "words.txt: expected a tinydnn model, found another kind of file"),
    ("evaluate foreign.h5 slices", "foreign.h5: expected a tinydnn model, found an HDF5 file of another kind"),
    ("evaluate half-model.h5 slices", "half-model.h5: expected an intact tinydnn model"),
    ("evaluate newer-model.h5 slices", "version 99, which needs a newer tinydnn"),
    ("evaluate altered-model.h5 slices", "do not match their digest, so it was altered or damaged"),
    ("evaluate foreign-layer.h5 slices", "foreign-layer.h5: expected an intact tinydnn model"),
    ("evaluate colour.h5 slices", "expected square input images of one channel, found input shape (3, 16, 16)"),
    ("evaluate model.h5 pets", "expected slices of the classes meningioma, glioma, pituitary, found 6 of class 'cat'"),
    ("evaluate model.h5 nowhere", "nowhere: expected a folder of .mat files"),
    ("evaluate model.h5 label-7", "5.mat: cjdata.label: expected 1, 2 or 3, found 7"),
    ("evaluate model.h5", "Missing argument"),
    ("evaluate", "Missing argument"),
    ("info words.txt", "words.txt: expected a tinydnn model, found another kind of file"),
    ("info foreign.h5", "foreign.h5: expected a tinydnn model, found an HDF5 file of another kind"),
    ("info nothing.h5", "nothing.h5: expected a tinydnn model, found no such file"),
    ("info half-model.h5", "half-model.h5: expected an intact tinydnn model"),
    # images
    ("predict half-model.h5 slices/1.mat", "half-model.h5: expected an intact tinydnn model"),
    ("predict newer-model.h5 slices/1.mat", "version 99, which needs a newer tinydnn"),
    ("predict colour.h5 slices/1.mat", "expected square input images of one channel"),
    ("predict model.h5 nothing.mat", "nothing.mat: expected a .mat file, found no such file"),
    ("predict model.h5 nothing.png", "nothing.png: cannot be read (No such file or directory)"),
    ("predict model.h5 empty", "empty: expected .mat, PNG or JPEG images, found none"),
    ("predict model.h5 half.png", "half.png: expected a complete image, found a damaged one"),
    ("predict model.h5 text.jpg", "text.jpg: expected a PNG or JPEG image, found something else"),
    ("predict model.h5 picture.gif", "picture.gif: expected a PNG or JPEG image, found something else"),
    ("predict model.h5 wrong-rank.mat", "wrong-rank.mat: cjdata.image: expected a matrix"),
    ("predict model.h5 text/5.mat", "5.mat: expected a MATLAB v7.3 (HDF5) file"),
    ("predict model.h5 slices/1.mat half.png", "half.png: expected a complete image"),
    ("predict model.h5 slices/1.mat --json --csv", "--json, --csv: expected one of the two, found both"),
    ("predict model.h5", "Missing argument"),
    # other commands
    ("prepare slices", "--out"),
    ("prepare slices --out a.png", "--out: expected a name that ends in .h5 or .hdf5, found a.png"),
    ("prepare slices --out a.h5 --size 7", "size: expected 8 to 2048 pixels, found 7"),
    ("prepare nowhere --out a.h5", "nowhere: expected a folder of .mat files"),
    ("prepare nan --out a.h5", "5.mat: cjdata.image: expected finite values"),
    ("prepare slices --out words.txt/a.h5", "words.txt"),
    ("download words.txt", "words.txt"),
    ("gradcheck conv3d", "gradcheck: expected one of"),
    ("gradcheck --all", "No such option: --all"),
    ("worked-example 3", "3"),
    ("trian slices", "No such command 'trian'. Did you mean 'train'?"),
    ("--verbose", "No such option: --verbose"),
]


@pytest.mark.parametrize(("line", "fragment"), BROKEN, ids=[line for line, _ in BROKEN])
def test_invalid_input_is_reported_in_one_or_two_lines(command, home, monkeypatch, line, fragment):
    monkeypatch.chdir(home)
    arguments = line.split()
    if arguments[0] == "train" and "--resume" not in arguments:
        for option in SMALL.keys() - arguments:
            arguments += [option, SMALL[option]]
    result = command(*arguments)
    assert result.status == 2
    assert result.err.startswith("tinydnn: ")
    assert 1 <= result.err.count("\n") <= 2
    assert "Traceback" not in result.err
    assert fragment in result.err
    assert not (home / "new" / "metrics.json").exists()
    shutil.rmtree(home / "new", ignore_errors=True)


def test_an_invalid_thread_count_in_the_environment_is_reported(home):
    environment = os.environ | {"TINYDNN_THREADS": "many"}
    result = run_program(home, "evaluate model.h5 slices", environment)
    assert result.returncode == 2
    assert result.stderr == "tinydnn: TINYDNN_THREADS: expected a whole number of at least 1, found 'many'\n"


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        ("train text --out new --size 16", "5.mat: expected a MATLAB v7.3 (HDF5) file"),
        ("train slices --out diverging --size 16 --batch-size 16 --lr 1e8", "training diverged"),
        ("predict altered-model.h5 slices/1.mat", "do not match their digest"),
        ("train --epochs", "--epochs"),
    ],
)
def test_the_installed_program_reports_the_same(home, line, fragment):
    result = run_program(home, line)
    assert result.returncode == 2
    assert result.stderr.startswith("tinydnn: ")
    assert result.stderr.count("\n") == 1
    assert fragment in result.stderr


def run_program(home, line, environment=None):
    command = [sys.executable, "-m", "tinydnn", *line.split()]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_many_kinds_of_invalid_input_are_covered():
    assert len(BROKEN) >= 40
