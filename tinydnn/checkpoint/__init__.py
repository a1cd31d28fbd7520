"""Models and training state as HDF5 files that h5py, HDFView or MATLAB open.

    /layers/NN-kind            attributes: kind and the arguments the layer was made with
    /layers/NN-kind/weight     … and so on: one dataset for each parameter and buffer
    /training/…                only in checkpoints: optimiser, random generators, records so far
    attributes of the root     format, version, digest, and what a new image needs: size, normalisation, classes

A file is read as numbers and text alone: nothing in it is ever run.
"""

from tinydnn.checkpoint.model import SavedModel, load_model, save_model
from tinydnn.checkpoint.state import load_checkpoint, save_checkpoint

__all__ = ["SavedModel", "load_checkpoint", "load_model", "save_checkpoint", "save_model"]
