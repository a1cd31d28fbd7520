"""Read slices and images: from published .mat files, zips and image folders."""

from tinydnn.data.read.figshare import Slice
from tinydnn.data.read.images import find_images, read_image, read_image_and_mask
from tinydnn.data.read.sources import Source, open_source

__all__ = ["Slice", "Source", "find_images", "open_source", "read_image", "read_image_and_mask"]
