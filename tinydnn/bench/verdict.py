"""What two samples of times allow to say."""

from enum import StrEnum

from tinydnn.bench.timing import Sample

ALIKE = 0.03  # medians that differ by less are the same for all that anybody will notice
NOISY = 0.25
RATIO = 10  # times the best of the others


class Verdict(StrEnum):
    """A kernel beside the baseline."""

    FASTER = "FASTER"
    SLOWER = "SLOWER"
    SAME = "SAME"
    UNCLEAR = "UNCLEAR"
    BASELINE = "baseline"


def verdict(sample: Sample, baseline: Sample) -> Verdict:
    """FASTER or SLOWER where the middle three fifths of the times do not overlap, and differ by what one would notice.

    SAME where the medians are alike and neither is noisy; else UNCLEAR.
    """
    apart = sample.median / baseline.median - 1
    if sample.p80 < baseline.p20 and apart < -ALIKE:
        return Verdict.FASTER
    if sample.p20 > baseline.p80 and apart > ALIKE:
        return Verdict.SLOWER
    if abs(apart) <= ALIKE and max(sample.noise, baseline.noise) <= NOISY:
        return Verdict.SAME
    return Verdict.UNCLEAR


def suspicion(seconds: float, bound: float, others: list[float]) -> str:
    """Why a time is hard to believe; nothing where it is not.

    `bound`: seconds that the machine's measured peaks leave. `others`: those of the other kernels.
    """
    if seconds < bound:
        return (
            f"suspicious: {bound / seconds:.0%} of the peak: either it skips work that the FLOPs count, or it is wrong"
        )
    if others and seconds * RATIO < min(others):
        return f"suspicious: {min(others) / seconds:.0f} times as fast as the best of the others"
    return ""
