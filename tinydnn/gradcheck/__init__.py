"""Gradient checks: analytic gradients against numeric derivatives, with a diagnosis where they differ."""

from tinydnn.gradcheck.check import gradcheck
from tinydnn.gradcheck.compare import compare
from tinydnn.gradcheck.layer import gradcheck_layer
from tinydnn.gradcheck.report import Check, GradientError, Report, Verdict

__all__ = ["Check", "GradientError", "Report", "Verdict", "compare", "gradcheck", "gradcheck_layer"]
