"""Weights that others have published, from whatever file they are in.

`read` knows safetensors, PyTorch's `.pth`, Keras's HDF5 and tinydnn's own models; `load` puts what was read into a
model, by name, and says what fitted. A file is read as numbers and text alone: nothing in it is ever run.
"""

from tinydnn.weights.matching import Report, load
from tinydnn.weights.published import PUBLISHED, download, downloaded
from tinydnn.weights.reading import Weights, read

__all__ = ["PUBLISHED", "Report", "Weights", "download", "downloaded", "load", "read"]
