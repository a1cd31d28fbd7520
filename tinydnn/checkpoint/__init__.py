"""Models and training state as HDF5 files, which h5py, HDFView and MATLAB can open.

    /layers/NN-name            attributes: the layer's kind and constructor arguments
    /layers/NN-name/weight     … one dataset for each parameter and buffer
    /layers/NN-name/NN-name    layers that contain others (Sequential, Concat) nest their groups
    /training_patients         hashed ids of the patients trained on; absent if unknown
    /training/…                checkpoints only: optimizer, random generators, records, and `kept`, the weights of the
                               best epoch, if a validation set selects it
    attributes of the root     format, version, digest, and the treatment of new images: input shape, crop,
                               normalisation, views, class names

Files are read as arrays and text only; nothing in them is executed.
"""

from tinydnn.checkpoint.model import SavedModel, load_model, save_model
from tinydnn.checkpoint.state import load_checkpoint, save_checkpoint

__all__ = ["SavedModel", "load_checkpoint", "load_model", "save_checkpoint", "save_model"]
