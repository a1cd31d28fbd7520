"""Read slices and images: from published .mat files, zips and image folders."""

from tinydnn.data.read.figshare import Slice
from tinydnn.data.read.images import read_image, read_image_and_mask
from tinydnn.data.read.sources import Source, open_source

__all__ = ["Slice", "Source", "open_source", "read_image", "read_image_and_mask"]
