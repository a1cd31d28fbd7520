"""Phantoms: synthetic MRI slices of heads with tumours, for use without the real dataset.

They are written in the layout of the published brain-tumour set, so that the same code reads both. Every PID
begins with `PHANTOM`, which marks the slices as synthetic.
"""

from tinydnn.data.phantoms.write import write_phantoms

__all__ = ["write_phantoms"]
