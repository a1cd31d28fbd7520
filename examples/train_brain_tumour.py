"""Train the baseline network with a loop of your own: without the trainer and the command line.

    python examples/train_brain_tumour.py [DATA]

DATA is a dataset as for `tinydnn train`; by default 400 synthetic phantoms. Images are resized to 64 × 64 pixels, so
this takes less than a minute. At the end it classifies slices of patients that are not in the training set.
"""

import sys

from tinydnn.data.batches import epoch_batches
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare import cache
from tinydnn.data.split import split
from tinydnn.models import baseline_cnn
from tinydnn.ops import softmax_cross_entropy
from tinydnn.optim import SGD, one_cycle

SIZE, BATCH, EPOCHS, LR, SEED = 64, 16, 12, 0.02, 0

# Prepare the data once, split by patient, and fit the normalisation to the training set.
source = sys.argv[1] if len(sys.argv) > 1 else cache.phantoms(400, size=SIZE)
dataset = Dataset.open(cache.prepared(source, size=SIZE))
parts = split(dataset.labels, dataset.patients, by="patient", seed=SEED)
normalise = Normalisation.fit(dataset, parts.train)

model = baseline_cnn(image_size=SIZE, classes=len(dataset.class_names), seed=SEED)
optimizer = SGD(model.parameters(), lr=LR, momentum=0.9)
schedule = one_cycle(LR, iterations=EPOCHS * (len(parts.train) // BATCH))
print(model.summary())

iteration = 0
for epoch in range(EPOCHS):
    for indices in epoch_batches(parts.train, BATCH, seed=SEED, epoch=epoch):
        x, y = normalise(dataset.read(indices)), dataset.labels[indices]

        logits, backward = model(x, training=True)
        loss, loss_backward = softmax_cross_entropy(logits, y)
        backward(loss_backward(), need_dx=False)
        optimizer.lr = schedule(iteration)
        optimizer.step()
        iteration += 1
    print(f"epoch {epoch + 1}: loss of the last batch {loss:.3f}")

predictions = model.predict(normalise(dataset.read(parts.test))).argmax(axis=1)
correct = int((predictions == dataset.labels[parts.test]).sum())
kind = "synthetic patients" if dataset.synthetic else "patients"
print(f"{correct} of {len(parts.test)} slices of held-out {kind} are classified correctly")
