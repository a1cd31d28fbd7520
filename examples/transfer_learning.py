"""Transfer learning with a loop of your own: freeze a trunk, cache its features, train a head, thaw the last layers.

    python examples/transfer_learning.py [WEIGHTS [DATA]]

WEIGHTS is a file of SqueezeNet's weights (`tinydnn weights download squeezenet1_1`); without it they are random, which
demonstrates the steps but not the accuracy. DATA is a dataset as for `tinydnn train`; by default 300 synthetic
phantoms. At the end of each phase it classifies slices of patients that are not in the training set.
"""

import sys

from tinydnn import SGD, weights
from tinydnn.data.batches import epoch_batches
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import TORCHVISION
from tinydnn.data.prepare import cache
from tinydnn.data.split import split
from tinydnn.models import adapted
from tinydnn.optim import one_cycle
from tinydnn.training.features import cached_features
from tinydnn.training.step import training_step

SIZE, BATCH, SEED = 96, 16, 0
HEAD_EPOCHS, HEAD_LR = 12, 0.003
LAST_EPOCHS, LAST_LR = 3, 0.001

source = sys.argv[2] if len(sys.argv) > 2 else cache.phantoms(300, size=SIZE)
dataset = Dataset.open(cache.prepared(source, size=SIZE))
parts = split(dataset.labels, dataset.patients, by="patient", seed=SEED)

# A pretrained trunk with a new head. The file of weights determines the preprocessing of the images.
model = adapted("squeezenet1_1", head="gap", image_size=SIZE, classes=len(dataset.class_names), seed=SEED)
preprocessing = TORCHVISION
if len(sys.argv) > 1:
    report = weights.load(model, sys.argv[1], module="features")
    preprocessing = report.preprocessing
    print(report)


def train(chain, features, epochs, lr):
    """Train a chain of layers on cached features, and classify the features of the test set."""
    optimizer = SGD(chain.parameters(), lr=lr, momentum=0.9)
    schedule = one_cycle(lr, iterations=epochs * (len(parts.train) // BATCH))
    iteration = 0
    for epoch in range(epochs):
        for indices in epoch_batches(parts.train, BATCH, seed=SEED, epoch=epoch):
            optimizer.lr = schedule(iteration)
            result = training_step(chain, optimizer.step, features.read(indices), dataset.labels[indices])
            iteration += 1
    predictions = chain.predict(features.read(parts.test)).argmax(axis=1)
    correct = int((predictions == dataset.labels[parts.test]).sum())
    kind = "synthetic patients" if dataset.synthetic else "patients"
    print(f"loss of the last batch {result.total_loss:.3f}")
    print(f"{correct} of {len(parts.test)} slices of held-out {kind} are classified correctly")


# The output of the frozen trunk is constant: compute it once for all slices, and train the head on it.
model.freeze("features")
prefix, head = model.split_at(model.frozen_prefix())
print(f"{len(prefix.layers)} layers are frozen, {len(head.layers)} are trained")
train(head, cached_features(dataset, prefix, preprocessing), HEAD_EPOCHS, HEAD_LR)

# Thaw the last module, at a tenth of the head's learning rate. The frozen prefix is shorter, with other features.
model.unfreeze(from_layer="features.12", lr_scale=0.1)
model.unfreeze(from_layer="head")
prefix, rest = model.split_at(model.frozen_prefix())
train(rest, cached_features(dataset, prefix, preprocessing), LAST_EPOCHS, LAST_LR)
