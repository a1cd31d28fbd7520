"""Phantoms: synthetic head slices with tumours, for whoever has no real ones.

They are written in the layout of the published brain-tumour set, so that the same code reads both. Every
patient code begins with `PHANTOM`, and by that the pictures are known as synthetic wherever they go.
"""

from tinydnn.data.phantoms.write import write_phantoms

__all__ = ["write_phantoms"]
