"""Phantoms: synthetic slices in the published layout, reproducible by seed."""

import h5py
import numpy as np
import pytest

from tinydnn.data.dataset import Dataset
from tinydnn.data.phantoms import write_phantoms
from tinydnn.data.phantoms.patients import enrol
from tinydnn.data.prepare.cache import prepared
from tinydnn.data.read import open_source

SLICES, SIZE = 24, 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    write_phantoms(folder, slices=SLICES, seed=1, size=SIZE)
    return folder


def slices(folder):
    with open_source(folder) as source:
        return {name: source.read(name) for name in source.names}


def test_phantoms_are_files_in_the_published_layout(folder):
    assert {path.name for path in folder.iterdir()} == {f"{n}.mat" for n in range(1, SLICES + 1)} | {"cvind.mat"}
    with h5py.File(folder / "1.mat") as file:
        assert set(file["cjdata"]) == {"PID", "image", "label", "tumorBorder", "tumorMask"}
        assert file["cjdata/image"].dtype == np.int16
        assert file["cjdata/image"].shape == (SIZE, SIZE)


def test_prepared_phantoms_are_marked_as_synthetic(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYDNN_CACHE", str(tmp_path))
    dataset = Dataset.open(prepared(folder, size=SIZE))
    assert dataset.synthetic
    assert len(dataset) == SLICES
    assert set(dataset.labels.tolist()) == {0, 1, 2}
    assert "" not in dataset.patients


def test_the_same_seed_gives_the_same_bytes_for_any_number_of_workers(folder, tmp_path):
    write_phantoms(tmp_path / "again", slices=SLICES, seed=1, size=SIZE, workers=1)
    for path in sorted(folder.iterdir()):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_another_seed_gives_other_images(folder, tmp_path):
    write_phantoms(tmp_path, slices=4, seed=2, size=SIZE)
    others = [phantom.image for phantom in slices(tmp_path).values()]
    assert not any(np.array_equal(image, phantom.image) for image in others for phantom in slices(folder).values())


def test_every_slice_shows_a_tumour_inside_the_head(folder):
    for name, phantom in slices(folder).items():
        assert phantom.mask.any(), name
        assert not phantom.mask[0].any(), name
        assert not phantom.mask[:, [0, -1]].any(), name
        air = np.median(phantom.image[:4, :4])
        assert np.median(phantom.image[phantom.mask]) > 4 * air, name


def test_the_border_goes_around_the_mask(folder):
    for name, phantom in slices(folder).items():
        x, y = np.asarray(phantom.border).reshape(-1, 2).T - 1
        rows, columns = np.nonzero(phantom.mask)
        assert abs(x.min() - columns.min()) <= 1.5, name
        assert abs(x.max() - columns.max()) <= 1.5, name
        assert abs(y.min() - rows.min()) <= 1.5, name
        assert abs(y.max() - rows.max()) <= 1.5, name


def test_class_proportions_are_the_published_ones_and_patients_have_views():
    patients = enrol(600, seed=0)
    counts = {label: sum(len(patient.files) for patient in patients if patient.label == label) for label in (1, 2, 3)}
    assert counts == {1: 139, 2: 279, 3: 182}
    assert sorted(file for patient in patients for file in patient.files) == list(range(1, 601))
    assert {view for patient in patients for view in patient.views} == {"axial", "coronal", "sagittal"}
    assert all(1 <= len(patient.files) <= 16 for patient in patients)
    assert len({patient.pid for patient in patients}) == len(patients)


def test_every_fold_holds_every_class():
    patients = enrol(600, seed=0)
    for fold in range(1, 6):
        assert {patient.label for patient in patients if patient.fold == fold} == {1, 2, 3}


def test_progress_is_reported(tmp_path):
    reports = []
    write_phantoms(tmp_path, slices=6, size=32, progress=lambda done, total: reports.append((done, total)))
    assert reports[-1] == (6, 6)
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)
