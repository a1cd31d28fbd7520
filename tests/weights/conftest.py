"""A small network with published names, its weights in every format, and the real weights where they are."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from tinydnn.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential


@pytest.fixture
def model():
    """A trunk of two convolutions and a classifier, at random."""
    draw = np.random.default_rng(0)
    layers = (
        Conv2d(3, 4, 3, padding=1, rng=draw), ReLU(), Conv2d(4, 5, 3, padding=1, rng=draw), ReLU(), MaxPool2d(2),
        Flatten(), Linear(20, 6, rng=draw),
    )  # fmt: skip
    names = [*(f"features.{k}" for k in range(5)), "flatten", "classifier.0"]
    return Sequential(*layers, names=names, input_shape=(3, 4, 4))


@pytest.fixture
def arrays():
    """Other weights for it, by their published names."""
    draw = np.random.default_rng(1)
    shapes = {
        "features.0.weight": (4, 3, 3, 3), "features.0.bias": (4,), "features.2.weight": (5, 4, 3, 3),
        "features.2.bias": (5,), "classifier.0.weight": (6, 20), "classifier.0.bias": (6,),
    }  # fmt: skip
    return {name: draw.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def safetensors(path, arrays, *, names={np.float32: "F32", np.float16: "F16", np.float64: "F64"}, edit=None):  # noqa: B006
    """Write arrays as the format's description says; `edit` may spoil the table first."""
    table, begin = {}, 0
    for name, array in arrays.items():
        offsets = [begin, begin + array.nbytes]
        table[name] = {"dtype": names[array.dtype.type], "shape": list(array.shape), "data_offsets": offsets}
        begin += array.nbytes
    if edit is not None:
        edit(table)
    header = json.dumps(table).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"".join(one.tobytes() for one in arrays.values()))
    return path


@pytest.fixture
def write_safetensors():
    """The function `safetensors`."""
    return safetensors


@pytest.fixture
def torch():
    """PyTorch, which the files are made with and the networks compared with."""
    return pytest.importorskip("torch")


@pytest.fixture
def real_weights():
    """The folder that TINYDNN_TEST_WEIGHTS names, with real weights as safetensors."""
    folder = os.environ.get("TINYDNN_TEST_WEIGHTS")
    if not folder:
        pytest.skip("TINYDNN_TEST_WEIGHTS does not name a folder with real weights")
    return Path(folder)
