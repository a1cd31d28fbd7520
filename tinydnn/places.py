"""Where things are kept that can be made again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The user's cache folder: the variable TINYDNN_CACHE, else the system's place for caches."""
    if folder := os.environ.get("TINYDNN_CACHE"):
        return Path(folder)
    import pooch

    return Path(pooch.os_cache("tinydnn"))
