"""Training is in float32 throughout: a stray float64 silently halves the speed and doubles the memory."""

import numpy as np
import pytest

from tinydnn import SGD, Adam, ops
from tinydnn.gradcheck.passes import as_tuple
from tinydnn.models import MODELS
from tinydnn.ops import Operation

SIZE, BATCH = 32, 4
SMALL = 256  # elements, two for each of 128 channels: arrays up to this size may be float64, for exact sums
CHOICES = {
    "default": {},
    "references": dict.fromkeys(ops.operations(), "reference"),
    "NumPy": {"conv2d_relu_maxpool2d": "fused", "conv2d": "im2col"},
}


@pytest.fixture
def recorded(monkeypatch):
    """(description, array) of all arguments and results of operations, and of all large arrays that NumPy allocates."""
    arrays = []
    call = Operation.__call__

    def recording(self, *args, **kwargs):
        value, backward = call(self, *args, **kwargs)
        arrays.extend((f"{self.name}: an argument", argument) for argument in args)
        arrays.append((f"{self.name}: the value", value))

        def recording_backward(*upstream, **options):
            gradients = backward(*upstream, **options)
            arrays.extend((f"{self.name}: an upstream gradient", gradient) for gradient in upstream)
            arrays.extend((f"{self.name}: a gradient", gradient) for gradient in as_tuple(gradients))
            return gradients

        return value, recording_backward

    monkeypatch.setattr(Operation, "__call__", recording)
    for name in ("empty", "zeros", "ones", "empty_like", "zeros_like", "full"):
        allocate = getattr(np, name)

        def recording_allocate(*args, allocate=allocate, name=name, **kwargs):
            array = allocate(*args, **kwargs)
            if array.size > SMALL:
                arrays.append((f"np.{name} of {array.shape}", array))
            return array

        monkeypatch.setattr(np, name, recording_allocate)
    return arrays


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("optimizer", [lambda p: SGD(p, lr=0.01, momentum=0.9), lambda p: Adam(p, lr=0.001)])
@pytest.mark.parametrize("name", MODELS)
def test_every_array_of_a_training_step_is_float32(name, optimizer, choice, recorded):
    model = MODELS[name](image_size=SIZE)
    optimizer = optimizer(model.parameters())
    x = np.random.default_rng(0).standard_normal((BATCH, 1, SIZE, SIZE)).astype(np.float32)
    recorded.clear()
    with ops.use(**CHOICES[choice]):
        logits, backward = model(x, training=True)
        _, loss_backward = ops.softmax_cross_entropy(logits, np.arange(BATCH) % 3)
        backward(loss_backward(), need_dx=False)
        optimizer.step()
    arrays = [(f"parameter {key}", parameter.value) for key, parameter in model.parameters().items()]
    arrays += [(f"gradient of {key}", parameter.grad) for key, parameter in model.parameters().items()]
    for average, values in optimizer.state.items():
        arrays += [(f"{average} of {key}", value) for key, value in values.items()]
    arrays += [(f"buffer {key}", buffer.value) for key, buffer in model.buffers().items()]
    dtypes = [
        (description, array.dtype)
        for description, array in recorded + arrays
        if isinstance(array, np.ndarray | np.generic) and array.dtype.kind == "f"
    ]
    assert len(dtypes) > 60
    assert {description: str(dtype) for description, dtype in dtypes if dtype != np.float32} == {}
