"""Models and training state as HDF5 files that h5py, HDFView or MATLAB open.

    /layers/NN-name            attributes: kind and the arguments the layer was made with
    /layers/NN-name/weight     … and so on: one dataset for each parameter and buffer
    /layers/NN-name/NN-name    a layer that holds others, such as branches side by side, has their groups in its own
    /training/…                only in checkpoints: optimiser, random generators, records so far, and `kept`, the
                               weights of the best epoch, where a validation part chooses it
    attributes of the root     format, version, digest, and what a new image needs: size, crop, normalisation, views,
                               classes

A file is read as numbers and text alone: nothing in it is ever run.
"""

from tinydnn.checkpoint.model import SavedModel, load_model, save_model
from tinydnn.checkpoint.state import load_checkpoint, save_checkpoint

__all__ = ["SavedModel", "load_checkpoint", "load_model", "save_checkpoint", "save_model"]
