"""The bench: check kernels, time them, and compare them with each other and with the machine's peaks."""

from tinydnn.bench.checking import check
from tinydnn.bench.comparison import compare
from tinydnn.bench.peaks import peaks
from tinydnn.bench.trial import trial

__all__ = ["check", "compare", "peaks", "trial"]
