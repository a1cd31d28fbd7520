"""Pretrained weights from several file formats.

`read` accepts safetensors, PyTorch's `.pth`, Keras's HDF5 and tinydnn's own models; `load` copies the arrays into a
model by name and reports which matched. Files are read as arrays and text only; nothing in them is executed.
"""

from tinydnn.weights.matching import Report, load
from tinydnn.weights.published import PUBLISHED, download, downloaded
from tinydnn.weights.reading import Weights, read

__all__ = ["PUBLISHED", "Report", "Weights", "download", "downloaded", "load", "read"]
