"""What a published network wants to see: three channels in its order, on its scale."""

import numpy as np
import pytest

from tinydnn.data.normalise import Normalisation
from tinydnn.data.preprocessing import CAFFE, TORCHVISION, Preprocessing, normalisation_config, normalisation_from

GREY = np.random.default_rng(0).integers(0, 256, (2, 1, 3, 4)).astype(np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (2, 3, 3, 4)).astype(np.uint8)


def test_grey_becomes_three_equal_channels_on_the_networks_scale():
    x = TORCHVISION(GREY)
    assert (x.shape, x.dtype) == ((2, 3, 3, 4), np.float32)
    for channel, (mean, std) in enumerate(zip(TORCHVISION.mean, TORCHVISION.std, strict=True)):
        np.testing.assert_allclose(x[:, channel], (GREY[:, 0] / 255 - mean) / std, rtol=1e-5, atol=1e-6)


def test_colours_come_in_the_networks_order():
    x = CAFFE(COLOUR)
    for channel, mean in enumerate(CAFFE.mean):  # blue, green, red
        np.testing.assert_allclose(x[:, channel], COLOUR[:, 2 - channel] - mean, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(TORCHVISION(COLOUR)[:, 0], (COLOUR[:, 0] / 255 - 0.485) / 0.229, rtol=1e-5, atol=1e-6)


def test_pixels_are_not_written_to():
    before = GREY.copy()
    CAFFE(GREY)
    assert np.array_equal(GREY, before)


@pytest.mark.parametrize("one", [CAFFE, TORCHVISION, Normalisation("standard", 40.0, 50.0)])
def test_a_file_gives_back_what_it_was_given(one):
    import json

    assert normalisation_from(json.loads(json.dumps(normalisation_config(one)))) == one


@pytest.mark.parametrize(
    "changes",
    [{"order": "GBR"}, {"mean": (1.0, 2.0)}, {"std": (1.0, 0.0, 1.0)}, {"scale": float("nan")}, {"mean": (1e999,) * 3}],
)
def test_what_makes_no_sense_is_refused(changes):
    with pytest.raises(ValueError, match="expected a mean and a positive std for each of three channels"):
        normalisation_from({**normalisation_config(CAFFE), **changes})


def test_it_takes_three_channels():
    assert (Preprocessing.channels, Normalisation.channels) == (3, 1)
