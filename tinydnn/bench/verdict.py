"""Verdicts: what two samples of times allow us to conclude."""

from enum import StrEnum

from tinydnn.bench.timing import Sample

ALIKE = 0.03  # relative difference of medians below which nobody notices
NOISY = 0.25
RATIO = 10  # times as fast as the best of the others: hard to believe


class Verdict(StrEnum):
    """A kernel compared with the baseline."""

    FASTER = "FASTER"
    SLOWER = "SLOWER"
    SAME = "SAME"
    UNCLEAR = "UNCLEAR"
    BASELINE = "baseline"


def verdict(sample: Sample, baseline: Sample) -> Verdict:
    """FASTER or SLOWER if the middle three fifths of the times do not overlap and the medians differ noticeably.

    SAME if the medians are alike and neither sample is noisy; else UNCLEAR.
    """
    difference = sample.median / baseline.median - 1
    if sample.p80 < baseline.p20 and difference < -ALIKE:
        return Verdict.FASTER
    if sample.p20 > baseline.p80 and difference > ALIKE:
        return Verdict.SLOWER
    if abs(difference) <= ALIKE and max(sample.noise, baseline.noise) <= NOISY:
        return Verdict.SAME
    return Verdict.UNCLEAR


def suspicion(seconds: float, bound: float, others: list[float]) -> str:
    """Why a time is hard to believe; empty if it is credible.

    bound: the least seconds that the measured peaks allow. others: the seconds of the other kernels.
    """
    if seconds < bound:
        share = f"{bound / seconds:.0%} of the peak"
        return f"suspicious: {share}: either it skips work that the FLOPs count, or it is wrong"
    if others and seconds * RATIO < min(others):
        return f"suspicious: {min(others) / seconds:.0f} times as fast as the best of the others"
    return ""
