"""The last test of a kernel: training with it gives the same losses as training with the references."""

from dataclasses import dataclass

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module, device_of, to_device
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare import cache
from tinydnn.models import baseline_cnn
from tinydnn.optim import SGD
from tinydnn.training.step import training_step

SIZE, BATCH, STEPS, PHANTOMS = 32, 16, 8, 60
AGREEMENT = 1e-3


@dataclass(frozen=True)
class Trial:
    """The losses of the same steps with the kernel and with references alone; ran: whether the kernel ran at all."""

    kernel: list[float]
    reference: list[float]
    ran: bool

    @property
    def difference(self) -> float:
        """The largest relative difference between the losses of a step."""
        kernel, reference = np.array(self.kernel), np.array(self.reference)
        return float(np.max(np.abs(kernel - reference) / np.abs(reference)))


def trial(operation: str, name: str, *, steps: int = STEPS, device: str = "cpu") -> Trial:
    """Train the baseline network on phantoms twice from the same seed: with the kernel, and with references alone."""
    path = cache.prepared(cache.phantoms(PHANTOMS, size=SIZE), size=SIZE)
    dataset = Dataset.open(path)
    x = to_device(Normalisation.fit(dataset, np.arange(PHANTOMS))(dataset.read(np.arange(PHANTOMS))), device)
    y = to_device(dataset.labels, device)
    references = dict.fromkeys(ops.operations(), "reference")
    if operation == "conv2d_relu_maxpool2d":  # Sequential does not fuse layers whose implementations are chosen
        for fused in ("conv2d", "relu", "maxpool2d"):
            del references[fused]
    with ops.trace() as calls, ops.use(**references | {operation: name}):
        losses = _losses(x, y, steps)
    with ops.use(**references):
        reference = _losses(x, y, steps)
    ran = ops.Call(operation, ops.operations()[operation].implementations[name].label) in calls
    return Trial(losses, reference, ran)


def _losses(x: Array, y: Array, steps: int) -> list[float]:
    model = baseline_cnn(image_size=SIZE, seed=0)
    model.to(device_of(x))
    optimizer = SGD(model.parameters(), lr=0.005, momentum=0.9)
    losses = []
    for step in range(steps):
        chosen = array_module(x).arange(step * BATCH, (step + 1) * BATCH) % len(x)
        result = training_step(model, optimizer.step, x[chosen], y[chosen])
        losses.append(float(result.total_loss))
    return losses
