"""The colours of the pages are legible, in light and in dark mode."""

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from tinydnn.plots.canvas import contrast
from tinydnn.runs import html_report

STYLE = (Path(html_report.__file__).parent / "templates" / "style.css").read_text()
LIGHT, DARK, PRINT = (dict(re.findall(r"--([\w-]+): (#\w+)", block)) for block in STYLE.split(":root {")[1:])
MODES = pytest.mark.parametrize("colours", [LIGHT, DARK, PRINT], ids=["light", "dark", "print"])


@MODES
@pytest.mark.parametrize("name", ["ink", "muted", "link", "right", "wrong"])
def test_text_has_enough_contrast(colours, name):
    assert contrast(colours[name], colours["paper"]) >= 4.5
    assert contrast(colours[name], colours["tint"]) >= 4.5


@MODES
def test_the_colours_of_classes_have_enough_contrast(colours):
    for k in range(6):
        assert contrast(colours[f"class-{k}"], colours["paper"]) >= 3


@MODES
@pytest.mark.parametrize(("name", "strongest"), [("hit", 0.8), ("miss", 0.8 * 0.6)])
def test_the_counts_of_the_confusion_matrix_are_legible_in_every_shade(colours, name, strongest):
    full, tint = (np.array(to_rgb(colours[key])) for key in (name, "tint"))
    for share in np.linspace(0, strongest, 5):
        assert contrast(colours["ink"], to_hex(share * full + (1 - share) * tint)) >= 4.5
