"""Slices as pictures."""

import io
from base64 import b64decode

import numpy as np
from PIL import Image

from tinydnn.runs.html_report.pictures import SIDE, heat_picture, slice_picture


def decoded(address):
    kind, data = address.split(",")
    assert kind == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(b64decode(data)))).astype(int)


GREY = np.full((SIDE // 2, SIDE // 2), 100, np.uint8)


def test_a_slice_is_grey():
    assert abs(decoded(slice_picture(GREY, None)) - 100).max() <= 2


def test_the_outline_surrounds_the_mask_and_leaves_its_inside_free():
    mask = np.zeros(GREY.shape, bool)
    mask[30:60, 40:70] = True
    picture = decoded(slice_picture(GREY, mask))
    blue = picture[..., 2] - picture[..., 0] > 60
    assert blue[2 * 30 - 1, 100]
    assert blue[100, 2 * 70]
    assert not blue[64:116, 84:136].any()
    assert not blue[:50].any()


def test_heat_is_brightest_where_the_relevance_is_largest():
    relevance = np.zeros(GREY.shape, np.float32)
    relevance[20, 80] = 1e-3
    picture = decoded(heat_picture(GREY, None, relevance))
    warm = picture[..., 0] - picture[..., 2]
    row, column = np.unravel_index(warm.argmax(), warm.shape)
    assert abs(row - 41) <= 3
    assert abs(column - 161) <= 3
    assert abs(decoded(heat_picture(GREY, None, np.zeros(GREY.shape))) - 100).max() <= 2
