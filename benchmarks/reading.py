"""Prepare, normalise and read all slices of a folder once: `python benchmarks/reading.py FOLDER`, for `scaling.py`.

Prints the seconds that it takes, and the peak memory of the process in MiB.
"""

import sys
from pathlib import Path
from time import perf_counter

import numpy as np
from contestants import peak_memory_mb

from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.prepare import prepare
from tinydnn.data.read import open_source

SIZE, BATCH = 128, 32

folder = Path(sys.argv[1])
begin = perf_counter()
with open_source(folder) as source:
    path = prepare(source, folder.parent / "prepared.h5", size=SIZE)
dataset = Dataset.open(path)
normalise = Normalisation.fit(dataset, np.arange(len(dataset)))
for start in range(0, len(dataset), BATCH):
    normalise(dataset.read(np.arange(start, min(start + BATCH, len(dataset)))))
print(perf_counter() - begin, peak_memory_mb())
