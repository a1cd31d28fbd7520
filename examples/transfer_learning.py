"""Transfer learning with the engine's parts in your own hands: freeze, compute features once, train a head, thaw.

    python examples/transfer_learning.py [WEIGHTS [DATA]]

WEIGHTS is a file of SqueezeNet's weights (`tinydnn weights download squeezenet1_1` fetches it); without it they are
random, which shows how it works and not what it is good for. DATA is whatever `tinydnn train` takes; without it, 300
synthetic phantoms are drawn first. It ends with the slices of patients whom the network has never met.
"""

import sys

from tinydnn import SGD, ops, weights
from tinydnn.data.batches import epoch_batches
from tinydnn.data.dataset import Dataset
from tinydnn.data.prepare import cache
from tinydnn.data.preprocessing import TORCHVISION
from tinydnn.data.split.holdout import split
from tinydnn.models import adapted
from tinydnn.optim import one_cycle
from tinydnn.training.features import kept

SIZE, BATCH, SEED = 96, 16, 0
HEAD_EPOCHS, HEAD_RATE = 12, 0.003
LAST_EPOCHS, LAST_RATE = 3, 0.001

source = sys.argv[2] if len(sys.argv) > 2 else cache.phantoms(300, size=SIZE)
dataset = Dataset.open(cache.prepared(source, size=SIZE))
parts = split(dataset.labels, dataset.patients, by="patient", seed=SEED)

# A trunk that others have trained, under a new head; its own way of looking at pictures comes with the weights.
model = adapted("squeezenet1_1", head="gap", image_size=SIZE, classes=len(dataset.class_names), seed=SEED)
preprocessing = TORCHVISION
if len(sys.argv) > 1:
    report = weights.load(model, sys.argv[1], part="features")
    preprocessing = report.preprocessing
    print(report)


def train(chain, pictures, normalise, epochs, rate):
    """Train what is not frozen, and say how many slices of unseen patients are right afterwards."""
    optimizer = SGD(chain.parameters(), lr=rate, momentum=0.9)
    rates = one_cycle(rate, iterations=epochs * (len(parts.train) // BATCH))
    iteration = 0
    for epoch in range(epochs):
        for indices in epoch_batches(parts.train, BATCH, seed=SEED, epoch=epoch):
            logits, backward = chain(normalise(pictures.read(indices)), training=True)
            loss, loss_backward = ops.softmax_cross_entropy(logits, dataset.labels[indices])
            backward(loss_backward(), need_dx=False)
            optimizer.lr = rates(iteration)
            optimizer.step()
            iteration += 1
    predictions = chain.predict(normalise(pictures.read(parts.test))).argmax(axis=1)
    right = int((predictions == dataset.labels[parts.test]).sum())
    kind = "synthetic patients" if dataset.synthetic else "patients"
    print(f"loss of the last batch {loss:.3f}; {right} of {len(parts.test)} slices of unseen {kind} are right")


# The trunk is frozen, so what it makes of a slice never changes: compute it once, and train the head on that.
model.freeze("features")
front, head = model.split_at(model.frozen_front())
print(f"{len(front.layers)} layers are frozen, {len(head.layers)} learn")
train(head, kept(dataset, front, preprocessing), lambda x: x, HEAD_EPOCHS, HEAD_RATE)

# Then the last module thaws, at a tenth of the head's rate. The front is shorter now, and its features are others.
model.unfreeze(from_layer="features.12", lr_scale=0.1)
model.unfreeze(from_layer="head")
front, rest = model.split_at(model.frozen_front())
train(rest, kept(dataset, front, preprocessing), lambda x: x, LAST_EPOCHS, LAST_RATE)
