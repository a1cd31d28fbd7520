"""The last proof of a kernel: training with it goes as training with the reference goes."""

from dataclasses import dataclass

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module, device_of, to_device
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare import cache
from tinydnn.models import baseline_cnn
from tinydnn.optim import SGD

SIZE, BATCH, STEPS, PHANTOMS = 32, 16, 8, 60
AGREEMENT = 1e-3


@dataclass(frozen=True)
class Trial:
    """Losses of the steps with the kernel and with references alone, and whether the kernel ran at all."""

    own: list[float]
    reference: list[float]
    ran: bool

    @property
    def difference(self) -> float:
        """The largest relative difference of the losses of a step."""
        own, reference = np.array(self.own), np.array(self.reference)
        return float(np.max(np.abs(own - reference) / np.abs(reference)))


def trial(operation: str, name: str, *, steps: int = STEPS, device: str = "cpu") -> Trial:
    """Train the baseline network on phantoms from the same seed, once with the kernel wherever it covers the layer."""
    path = cache.prepared(cache.phantoms(PHANTOMS, size=SIZE), size=SIZE)
    dataset = Dataset.open(path)
    x = to_device(Normalisation.fit(dataset, np.arange(PHANTOMS))(dataset.read(np.arange(PHANTOMS))), device)
    y = to_device(dataset.labels, device)
    references = dict.fromkeys(ops.operations(), "reference")
    if operation == "conv2d_relu_maxpool2d":  # else the parts are chosen, and run one by one
        for part in ("conv2d", "relu", "maxpool2d"):
            del references[part]
    with ops.trace() as calls, ops.use(**references | {operation: name}):
        own = _losses(x, y, steps)
    with ops.use(**references):
        reference = _losses(x, y, steps)
    kernel = ops.operations()[operation].implementations[name]
    return Trial(own, reference, any((one.operation, one.implementation) == (operation, kernel.label) for one in calls))


def _losses(x: Array, y: Array, steps: int) -> list[float]:
    model = baseline_cnn(image_size=SIZE, seed=0)
    model.to(device_of(x))
    optimizer = SGD(model.parameters(), lr=0.005, momentum=0.9)
    losses = []
    for step in range(steps):
        chosen = array_module(x).arange(step * BATCH, (step + 1) * BATCH) % len(x)
        logits, backward = model(x[chosen], training=True)
        loss, loss_backward = ops.softmax_cross_entropy(logits, y[chosen])
        backward(loss_backward(), need_dx=False)
        optimizer.step()
        losses.append(float(loss))
    return losses
