"""Training is in float32 throughout: a float64 that slips in halves the speed and doubles the memory without a word."""

import numpy as np
import pytest

from tinydnn import SGD, Adam, ops
from tinydnn.gradcheck.contract import as_tuple
from tinydnn.models import MODELS
from tinydnn.ops import Operation

SIZE, BATCH = 32, 4
FEW = 256  # numbers, two for each of 128 channels: sums of that many may be exact
CHOICES = {
    "what runs by itself": {},
    "references": dict.fromkeys(ops.operations(), "reference"),
    "NumPy": {"conv2d_relu_maxpool2d": "fused", "conv2d": "im2col"},
}


@pytest.fixture
def seen(monkeypatch):
    """(what, array) for everything that operations take and give, and all that NumPy makes room for."""
    arrays = []
    call = Operation.__call__

    def recording(self, *args, **kwargs):
        value, backward = call(self, *args, **kwargs)
        arrays.extend((f"{self.name}: an argument", one) for one in args)
        arrays.append((f"{self.name}: the value", value))

        def back(*given, **options):
            gradients = backward(*given, **options)
            arrays.extend((f"{self.name}: an upstream gradient", one) for one in given)
            arrays.extend((f"{self.name}: a gradient", one) for one in as_tuple(gradients))
            return gradients

        return value, back

    monkeypatch.setattr(Operation, "__call__", recording)
    for name in ("empty", "zeros", "ones", "empty_like", "zeros_like", "full"):
        make = getattr(np, name)

        def made(*args, make=make, name=name, **kwargs):
            array = make(*args, **kwargs)
            if array.size > FEW:
                arrays.append((f"np.{name} of {array.shape}", array))
            return array

        monkeypatch.setattr(np, name, made)
    return arrays


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("optimizer", [lambda p: SGD(p, lr=0.01, momentum=0.9), lambda p: Adam(p, lr=0.001)])
@pytest.mark.parametrize("name", MODELS)
def test_every_array_of_a_training_step_is_float32(name, optimizer, choice, seen):
    model = MODELS[name](image_size=SIZE)
    optimizer = optimizer(model.parameters())
    x = np.random.default_rng(0).standard_normal((BATCH, 1, SIZE, SIZE)).astype(np.float32)
    seen.clear()
    with ops.use(**CHOICES[choice]):
        logits, backward = model(x, training=True)
        _, loss_backward = ops.softmax_cross_entropy(logits, np.arange(BATCH) % 3)
        backward(loss_backward(), need_dx=False)
        optimizer.step()
    seen += [(f"the value of {key}", one.value) for key, one in model.parameters().items()]
    seen += [(f"the gradient of {key}", one.grad) for key, one in model.parameters().items()]
    seen += [(f"{slot} of {key}", one) for slot, of_all in optimizer.state.items() for key, one in of_all.items()]
    seen += [(f"buffer {key}", one.value) for key, one in model.buffers().items()]
    floats = [(what, one) for what, one in seen if isinstance(one, np.ndarray | np.generic) and one.dtype.kind == "f"]
    assert len(floats) > 60
    assert {what: str(one.dtype) for what, one in floats if one.dtype != np.float32} == {}
