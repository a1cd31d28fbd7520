"""Train the paper's network with the engine's parts in your own hands: no Trainer, no command line.

    python examples/train_brain_tumour.py [DATA]

DATA is whatever `tinydnn train` takes; without it, 400 synthetic phantoms are drawn first. Pictures are brought to
64 × 64 pixels, so that this takes less than a minute. It ends with the slices of patients whom the network has never
met.
"""

import sys

from tinydnn.data.batches import epoch_batches
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare import cache
from tinydnn.data.split.holdout import split
from tinydnn.models import baseline_cnn
from tinydnn.ops import softmax_cross_entropy
from tinydnn.optim import SGD, one_cycle

SIZE, BATCH, EPOCHS, SEED = 64, 16, 12, 0

# The data: prepared once, split so that no patient is on both sides, normalised by the training slices alone.
source = sys.argv[1] if len(sys.argv) > 1 else cache.phantoms(400, size=SIZE)
dataset = Dataset.open(cache.prepared(source, size=SIZE))
parts = split(dataset.labels, dataset.patients, by="patient", seed=SEED)
normalise = Normalisation.fit(dataset, parts.train)

model = baseline_cnn(image_size=SIZE, classes=len(dataset.class_names), seed=SEED)
optimizer = SGD(model.parameters(), lr=0.02, momentum=0.9)
rate = one_cycle(0.02, iterations=EPOCHS * (len(parts.train) // BATCH))
print(model.summary())

iteration = 0
for epoch in range(EPOCHS):
    for indices in epoch_batches(parts.train, BATCH, seed=SEED, epoch=epoch):
        x, y = normalise(dataset.read(indices)), dataset.labels[indices]

        logits, backward = model(x, training=True)
        loss, loss_backward = softmax_cross_entropy(logits, y)
        backward(loss_backward(), need_dx=False)
        optimizer.lr = rate(iteration)
        optimizer.step()
        iteration += 1
    print(f"epoch {epoch + 1}: loss of the last batch {loss:.3f}")

predictions = model.predict(normalise(dataset.read(parts.test))).argmax(axis=1)
right = int((predictions == dataset.labels[parts.test]).sum())
kind = "synthetic patients" if dataset.synthetic else "patients"
print(f"{right} of {len(parts.test)} slices of unseen {kind} are classified correctly")
