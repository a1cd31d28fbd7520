"""The explanation of one image by several methods."""

import numpy as np
import pytest

from tinydnn.explain import METHODS, Finding, explain_image
from tinydnn.models import baseline_cnn


def finding(relevance):
    return Finding("method", "Method", np.array(relevance, np.float32))


def test_the_findings_are_the_maps_of_the_methods():
    model = baseline_cnn(image_size=16)
    x = np.random.default_rng(0).standard_normal((1, 1, 16, 16)).astype(np.float32)
    methods = [METHODS["grad-cam"], METHODS["saliency"]]
    for layer in (None, "04-relu"):
        findings = explain_image(model, x, 2, methods, layer=layer)
        assert [found.name for found in findings] == ["grad-cam", "saliency"]
        for found, method in zip(findings, methods, strict=True):
            np.testing.assert_array_equal(found.relevance, method.maps(model, x, np.array([2]), layer=layer)[0])


def test_maximum_and_share_in_a_mask():
    found = finding([[0, 1, 0], [6, 2, 1]])
    assert found.maximum == (1, 0)
    assert found.share_inside(np.array([[True, True, False], [False, True, False]])) == pytest.approx(0.3)
    assert found.share_inside(np.array([[True, False, False], [False, False, False]])) == 0


def test_a_map_without_relevance_has_no_maximum_and_no_share():
    found = finding(np.zeros((2, 3)))
    assert found.maximum is None
    assert found.share_inside(np.ones((2, 3), bool)) is None


def test_of_equal_maxima_the_one_in_their_middle_is_the_maximum():
    relevance = np.zeros((9, 9))
    relevance[2:5, 4:9] = 3
    assert finding(relevance).maximum == (3, 6)


def test_integrated_gradients_say_how_complete_they_are():
    model = baseline_cnn(image_size=16)
    x = np.random.default_rng(0).standard_normal((1, 1, 16, 16)).astype(np.float32)
    found, other = explain_image(model, x, 1, [METHODS["integrated-gradients"], METHODS["saliency"]])
    words = found.note.replace(",", "").split()
    total, change, error = (float(word) for word in (words[1], words[6], words[-1]))
    assert total == pytest.approx(METHODS["integrated-gradients"].attribute(model, x, np.array([1])).sum(), rel=1e-3)
    assert total - change == pytest.approx(error, abs=1e-3)
    assert change == pytest.approx((model.predict(x) - model.predict(0 * x))[0, 1], rel=1e-3)
    assert other.note == ""
