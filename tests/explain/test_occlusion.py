"""Occlusion: the drop of the score behind a patch."""

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.explain import occlusion
from tinydnn.explain.copies import BATCH

PATCHES = [(4, 2), (3, 3), (5, 4), (12, 12), (7, 5), (1, 1)]


def by_formula(model, x, classes, patch, stride):
    """The mean drop over all patches that contain a pixel, patch by patch; the last of a row reaches the end."""
    rows, (height, width) = np.arange(len(x)), x.shape[2:]
    before = model.predict(x)[rows, classes]
    drops, counts = np.zeros((len(x), height, width)), np.zeros((height, width))
    ends = [int(np.ceil((size - patch) / stride)) for size in (height, width)]
    for i, j in np.ndindex(ends[0] + 1, ends[1] + 1):
        window = slice(i * stride, i * stride + patch), slice(j * stride, j * stride + patch)
        hidden = x.copy()
        hidden[:, :, *window] = 0
        drops[:, *window] += (before - model.predict(hidden)[rows, classes])[:, None, None]
        counts[window] += 1
    assert counts.min() >= 1
    return drops / counts


@pytest.mark.parametrize(("patch", "stride"), PATCHES)
def test_each_pixel_has_the_mean_drop_of_the_patches_that_contain_it(patch, stride, make_network, make_images):
    model, (x, classes) = make_network("paper_like"), make_images()
    expected = by_formula(model, x, classes, patch, stride)
    a = occlusion(model, x, classes, patch=patch, stride=stride)
    np.testing.assert_allclose(a, expected, rtol=1e-9, atol=1e-12)


def test_the_drop_behind_one_pixel_of_a_linear_model_is_its_weighted_value(make_network, make_images):
    model, (x, classes) = make_network("linear"), make_images()
    w = model.layers[-1].weight.value[classes].reshape(x.shape)
    np.testing.assert_allclose(occlusion(model, x, classes, patch=1), (w * x).sum(axis=1), atol=1e-10)


def test_by_default_a_patch_is_an_eighth_of_the_shorter_side_and_moves_by_half_of_it(make_network):
    from tinydnn.layers import Flatten, Linear, Sequential

    model = Sequential(Flatten(), Linear(32 * 48, 3, rng=np.random.default_rng(0)))
    x, classes = np.random.default_rng(1).standard_normal((1, 1, 32, 48)).astype(np.float32), np.array([1])
    a, b = occlusion(model, x, classes), occlusion(model, x, classes, patch=4, stride=2)
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("count", [1, 5, BATCH + 1])
def test_no_more_copies_run_at_once_than_make_a_batch(count, make_network, make_images, monkeypatch):
    model, (x, classes), sizes = make_network("linear"), make_images(count), []
    predict = model.predict
    monkeypatch.setattr(model, "predict", lambda x: sizes.append(len(x)) or predict(x))
    occlusion(model, x, classes)
    assert max(sizes) <= max(BATCH, count)


@pytest.mark.parametrize(("patch", "stride"), [(0, 1), (13, 1), (4, 5), (4, 0)])
def test_patches_that_leave_pixels_out_or_exceed_the_image_are_an_error(patch, stride, make_network, make_images):
    message = f"expected 1 <= stride <= patch <= 12 pixels, found stride {stride} and patch {patch}"
    with pytest.raises(InputError, match=message):
        occlusion(make_network("linear"), *make_images(), patch=patch, stride=stride)
