"""A small network with published names, weights for it, and the folder of real weights if there is one."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from tinydnn.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential


@pytest.fixture
def model():
    """A trunk of two convolutions and a classifier, with random weights."""
    draw = np.random.default_rng(0)
    layers = (
        Conv2d(3, 4, 3, padding=1, rng=draw), ReLU(), Conv2d(4, 5, 3, padding=1, rng=draw), ReLU(), MaxPool2d(2),
        Flatten(), Linear(20, 6, rng=draw),
    )  # fmt: skip
    names = [*(f"features.{k}" for k in range(5)), "flatten", "classifier.0"]
    return Sequential(*layers, names=names, input_shape=(3, 4, 4))


@pytest.fixture
def arrays():
    """Other weights for the model, by published name."""
    draw = np.random.default_rng(1)
    shapes = {
        "features.0.weight": (4, 3, 3, 3), "features.0.bias": (4,), "features.2.weight": (5, 4, 3, 3),
        "features.2.bias": (5,), "classifier.0.weight": (6, 20), "classifier.0.bias": (6,),
    }  # fmt: skip
    return {name: draw.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def safetensors(path, arrays, *, names={np.float32: "F32", np.float16: "F16", np.float64: "F64"}):  # noqa: B006
    """Write arrays as the format's specification says."""
    header, begin = {}, 0
    for name, array in arrays.items():
        offsets = [begin, begin + array.nbytes]
        header[name] = {"dtype": names[array.dtype.type], "shape": list(array.shape), "data_offsets": offsets}
        begin += array.nbytes
    content = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(content)) + content + b"".join(map(np.ndarray.tobytes, arrays.values())))
    return path


@pytest.fixture
def write_safetensors():
    """The function `safetensors`."""
    return safetensors


@pytest.fixture
def torch():
    """PyTorch, which writes the files and is the reference for the networks."""
    return pytest.importorskip("torch")


@pytest.fixture
def real_weights():
    """The folder named by TINYDNN_TEST_WEIGHTS, with published weights as safetensors."""
    folder = os.environ.get("TINYDNN_TEST_WEIGHTS")
    if not folder:
        pytest.skip("TINYDNN_TEST_WEIGHTS does not name a folder with published weights")
    return Path(folder)
