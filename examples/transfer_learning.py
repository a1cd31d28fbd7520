"""Transfer learning with a loop of your own: freeze a trunk, cache its features, train a head, thaw the last layers.

    python examples/transfer_learning.py [WEIGHTS [DATA]]

WEIGHTS is a file of SqueezeNet's weights (`tinydnn weights download squeezenet1_1`). Without it they are random: the
steps are the same, but there is nothing to transfer. DATA is a dataset as for `tinydnn train`; by default 600 synthetic
phantoms.

Three rules make thawing safe. The head is trained first, because the gradients of a random head would destroy what the
trunk has learned. The thawed layers learn at a low rate. And as so many weights may overfit, those kept are of the
epoch with the lowest loss on a validation set, patients held out of the training set; test slices choose nothing.
"""

import sys

import numpy as np

from tinydnn import Adam, weights
from tinydnn.data.batches import epoch_batches
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import TORCHVISION
from tinydnn.data.prepare import cache
from tinydnn.data.split import split
from tinydnn.models import adapted
from tinydnn.ops import softmax_cross_entropy
from tinydnn.optim import one_cycle
from tinydnn.training.features import cached_features
from tinydnn.training.step import training_step

SIZE, BATCH, SEED = 128, 16, 0
HEAD_EPOCHS, HEAD_LR = 6, 0.001
LAST_EPOCHS, LAST_LR = 3, 0.0003
THAWED_FROM = "features.9"  # the last four modules

source = sys.argv[2] if len(sys.argv) > 2 else cache.phantoms(600, size=SIZE)
dataset = Dataset.open(cache.prepared(source, size=SIZE))
labels, patients = dataset.labels, dataset.patients
outer = split(labels, patients, by="patient", seed=SEED)
inner = split(labels[outer.train], patients[outer.train], by="patient", seed=SEED)
training, validation, test = outer.train[inner.train], outer.train[inner.test], outer.test
kind = "synthetic slices" if dataset.synthetic else "slices"
print(f"{len(training)} {kind} to train, {len(validation)} to choose the epoch, {len(test)} to test; by patient")

# A pretrained trunk with a new head. The file of weights determines the preprocessing of the images.
model = adapted("squeezenet1_1", head="gap", image_size=SIZE, classes=len(dataset.class_names), seed=SEED)
preprocessing = TORCHVISION
if len(sys.argv) > 1:
    report = weights.load(model, sys.argv[1], module="features")
    preprocessing = report.preprocessing
    print(report)
else:
    print("the trunk has random weights: there is nothing to transfer")


def evaluate(chain, features, indices):
    """The loss of a chain of layers on the features of some slices, and how many it classifies correctly."""
    logits = chain.predict(features.read(indices))
    loss, _ = softmax_cross_entropy(logits, labels[indices])
    return float(loss), int((logits.argmax(axis=1) == labels[indices]).sum())


def train(chain, features, epochs, lr):
    """Train a chain of layers on cached features; keep the weights, the first included, of the lowest validation loss.

    Returns how many test slices they classify correctly.
    """
    optimizer = Adam(chain.parameters(), lr=lr)
    schedule = one_cycle(lr, iterations=epochs * (len(training) // BATCH))
    losses, states = [], []
    for epoch in range(epochs + 1):
        losses.append(evaluate(chain, features, validation)[0])
        states.append({name: value.copy() for name, value in chain.state().items()})
        if epoch < epochs:
            for indices in epoch_batches(training, BATCH, seed=SEED, epoch=epoch):
                optimizer.lr = schedule(optimizer.steps)
                training_step(chain, optimizer.step, features.read(indices), labels[indices])
    best = int(np.argmin(losses))
    chain.load_state(states[best])
    print(f"  validation loss before and after each epoch: {', '.join(f'{loss:.3f}' for loss in losses)}")
    print(f"  kept: {f'the weights after epoch {best}' if best else 'the weights before training'}")
    return evaluate(chain, features, test)[1]


# The output of the frozen trunk is constant: compute it once for all slices, and train the head on it.
model.freeze("features")
prefix, head = model.split_at(model.frozen_prefix())
print(f"{len(prefix.layers)} layers are frozen, {len(head.layers)} are trained")
head_alone = train(head, cached_features(dataset, prefix, preprocessing), HEAD_EPOCHS, HEAD_LR)

# Thaw the last modules, at a lower learning rate. The frozen prefix is shorter, with other features.
model.unfreeze(from_layer=THAWED_FROM)
prefix, rest = model.split_at(model.frozen_prefix())
print(f"{len(prefix.layers)} layers are frozen, {len(rest.layers)} are trained")
thawed = train(rest, cached_features(dataset, prefix, preprocessing), LAST_EPOCHS, LAST_LR)

most_frequent = np.bincount(labels[training]).argmax()
print(f"of {len(test)} test slices, of patients never seen, are classified correctly:")
print(f"  {(labels[test] == most_frequent).sum():>3} by always answering {dataset.class_names[most_frequent]}")
print(f"  {head_alone:>3} by the head on the frozen trunk")
print(f"  {thawed:>3} after thawing from {THAWED_FROM} on")
