"""Repeat a comparison at several sizes."""

from collections.abc import Sequence

from tinydnn.bench.comparison import Comparison, compare, split_supported
from tinydnn.bench.costs import bench_case
from tinydnn.bench.peaks import Peaks
from tinydnn.gradcheck.cases import Shape

PIXELS = (16, 32, 64, 128, 256)
ROWS = (8, 32, 128, 512)
SECONDS = 0.7  # for each kernel at each size


def sweep_sizes(
    operation: str, names: Sequence[str], baseline: str, peaks: Peaks, dtype: str, device: str = "cpu"
) -> list[Comparison]:
    """Compare the implementations on images of other sizes, or on other numbers of rows, than the typical layer's."""
    comparisons = []
    for shapes in _shapes(operation):
        supported, _ = split_supported(operation, names, shapes, device, dtype)
        if supported:
            base = baseline if baseline in supported else supported[0]
            comparisons.append(
                compare(operation, supported, base, peaks, shapes=shapes, dtype=dtype, seconds=SECONDS, device=device)
            )
    return comparisons


def _shapes(operation: str) -> list[tuple[Shape, ...]]:
    typical = bench_case(operation).shapes[0] or ()
    if len(typical) == 4:
        return [((*typical[:2], size, size),) for size in PIXELS]
    return [((rows, *typical[1:]),) for rows in ROWS]
