"""Convert slices as stored into one HDF5 file of uniform images, and cache it."""

from tinydnn.data.prepare.convert import prepare

__all__ = ["prepare"]
