"""Opening a dataset in one call."""

import numpy as np
import pytest

from tinydnn import data
from tinydnn.data.prepare import cache
from tinydnn.errors import InputError


def test_a_folder_is_prepared_once_and_opened(slices, monkeypatch):
    dataset = data.load(slices, size=16)
    assert (len(dataset), dataset.size) == (60, 16)
    monkeypatch.setattr(cache, "prepare", None)  # a second preparation would call it
    assert np.array_equal(data.load(slices, size=16).images[:], dataset.images[:])


def test_phantoms_are_synthetic_slices_of_the_requested_size():
    dataset = data.load_phantoms(12, size=16)
    assert (len(dataset), dataset.size, dataset.synthetic) == (12, 16, True)


def test_a_folder_without_slices_is_refused(tmp_path):
    with pytest.raises(InputError, match="found no slices"):
        data.load(tmp_path)


@pytest.mark.parametrize(("slices", "size"), [(0, 32), (10, 1), (10, -3)])
def test_phantoms_too_few_or_too_small_are_refused_at_once(slices, size):
    with pytest.raises(InputError, match=r"^load_phantoms: expected at least 1 slice of at least 16 pixels, found "):
        data.load_phantoms(slices, size=size)
