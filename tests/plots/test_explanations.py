"""Pictures of explanations, feature maps, filters, maximised images and neighbours."""

import numpy as np
import pytest
from legibility import draw, problems

from tinydnn import plots
from tinydnn.explain import Finding, Maximised

LONG = "diffuse intrinsic pontine glioma of childhood, 3rd $\\kind$"
RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (32, 32)).astype(np.uint8)


@pytest.fixture
def mask():
    mask = np.zeros((32, 32), bool)
    mask[10:20, 5:12] = True
    return mask


def findings(count, relevance=None):
    maps = RNG.random((count, 32, 32)).astype(np.float32) ** 8
    return [
        Finding(f"m{k}", f"Integrated gradients {k}", maps[k] if relevance is None else relevance) for k in range(count)
    ]


@pytest.mark.parametrize("count", [1, 4, 5, 11])
@pytest.mark.parametrize("masked", [False, True])
def test_explanation(mask, count, masked):
    figure = plots.explanation(
        image=IMAGE, findings=findings(count), mask=mask if masked else None, title=f"{LONG}: 99.9 %", note="note " * 20
    )
    drawn = draw(figure)
    assert problems(drawn) == []
    words = " ".join(drawn.words)
    assert ("in the tumour" in words) == masked
    assert (f"the tumour mask, {100 * mask.mean():.1f} % of the pixels" in " ".join(words.split())) == masked
    *cells, _ = [axes.get_window_extent() for axes in figure.axes]  # the last axes are the colour bar
    assert len(cells) == count + 1
    assert len({(round(cell.width), round(cell.height)) for cell in cells}) == 1
    assert min(cell.y0 for cell in cells) > 0


@pytest.mark.parametrize("pixel", [0.0, 1.0])
def test_a_map_without_relevance_or_with_a_single_pixel_is_drawn(mask, pixel):
    relevance = np.zeros((32, 32), np.float32)
    relevance[3, 3] = pixel
    drawn = draw(plots.explanation(image=IMAGE, findings=findings(1, relevance), mask=mask, title="t"))
    assert problems(drawn) == []
    assert ("no relevance anywhere" in drawn.words) == (pixel == 0)


def test_the_outline_encloses_a_mask_at_the_border_without_moving_the_slice():
    (axes, *_) = plots.explanation(image=IMAGE, findings=findings(1), mask=np.ones((32, 32), bool), title="t").axes
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 31.5), (31.5, -0.5))
    paths = [path for collection in axes.collections for path in collection.get_paths() if len(path)]
    assert len(paths) == 2  # black, and white over it
    for path in paths:
        assert path.get_extents().bounds == pytest.approx((-0.5, -0.5, 32, 32))


def test_what_is_not_relevant_shows_the_slice():
    relevance = np.zeros((32, 32), np.float32)
    relevance[4, 4] = 1
    figure = plots.explanation(image=IMAGE, findings=findings(1, relevance), title="t")
    _, overlay = figure.axes[1].images
    assert overlay.get_alpha()[4, 4] == pytest.approx(0.9)
    assert np.count_nonzero(overlay.get_alpha()) == 1


def test_the_colours_of_a_map_begin_at_its_minimum():
    relevance = 5 + np.linspace(0, 1, 1024, dtype=np.float32).reshape(32, 32)  # as of RISE, whose maps have no zeros
    figure = plots.explanation(image=IMAGE, findings=findings(1, relevance), title="t")
    share = figure.axes[1].images[1].get_array()
    assert (share.min(), share.max()) == (0, 1)
    assert share.mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("channels", [1, 3, 64, 70])
@pytest.mark.parametrize("signed", [False, True])
def test_feature_maps(mask, channels, signed):
    maps = RNG.standard_normal((channels, 6, 5)).astype(np.float32)
    maps = maps if signed else np.maximum(maps, 0)
    figure = plots.feature_maps(image=IMAGE, maps=maps, mask=mask, title=f"layer {LONG}")
    drawn = draw(figure)
    assert problems(drawn) == []
    assert len([word for word in drawn.words if word.isdigit() and word != "0"]) >= min(channels, 64) - 1
    assert ("64 of 70 channels" in " ".join(drawn.words)) == (channels == 70)
    (image,) = figure.axes[1].images
    assert image.norm.vmin == (-image.norm.vmax if signed else 0)


def test_feature_maps_that_are_all_zero_are_drawn():
    assert problems(draw(plots.feature_maps(image=IMAGE, maps=np.zeros((2, 4, 4), np.float32), title="t"))) == []


@pytest.mark.parametrize("shape", [(16, 1, 3, 3), (64, 300, 3, 3), (70, 3, 11, 11), (1, 1, 2, 2)])
def test_filters(shape):
    weights = RNG.standard_normal(shape)
    inputs = RNG.integers(0, shape[1], shape[0])
    drawn = draw(plots.filters(weights=weights, inputs=inputs, title="layer 00-conv2d"))
    assert problems(drawn) == []
    assert any(f" ← {inputs[-1]}" in word for word in drawn.words) == (shape[1] > 1)


@pytest.mark.parametrize("shape", [(4, 128), (16, 64), (512, 512), (1, 1), (1, 512)])
def test_filters_of_one_pixel_are_a_matrix(shape):
    weights = RNG.standard_normal((*shape, 1, 1))
    drawn = draw(plots.filters(weights=weights, inputs=np.zeros(shape[0], int), title="layer squeeze"))
    assert problems(drawn) == []
    assert {"input channel", "output channel"} <= set(drawn.words)


@pytest.mark.parametrize("count", [1, 3, 10])
def test_maximised(count):
    results = {f"{k} {LONG}": Maximised(RNG.random((16, 16)), (-1e-3, 123456.0)) for k in range(count)}
    drawn = draw(plots.maximised(results=results, title="model.h5, 256 steps", note="note " * 30))
    assert problems(drawn) == []
    assert any("score −0.001 → 1.23e+05" in word for word in drawn.words)


@pytest.mark.parametrize("count", [1, 5, 13])
def test_neighbours(mask, count):
    found = [plots.Neighbour(IMAGE, LONG, "MR040240" * k, 0.01 * k, mask) for k in range(count)]
    drawn = draw(plots.neighbours(image=IMAGE, name=LONG, found=found, title=LONG))
    assert problems(drawn) == []
    assert any("distance" in word for word in drawn.words)


def test_the_distance_of_a_slice_to_itself_is_zero_but_for_rounding():
    found = [plots.Neighbour(IMAGE, "glioma", "MR1", 1.48e-14)]
    assert "distance 0.0000" in " ".join(
        draw(plots.neighbours(image=IMAGE, name="glioma", found=found, title="t")).words
    )
