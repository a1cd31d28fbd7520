"""What holds for every method of explanation: shapes, dtypes, batches, devices, and models that it cannot explain."""

import shutil

import numpy as np
import pytest

from tinydnn import explain
from tinydnn.backend import array_module, emulated
from tinydnn.errors import InputError
from tinydnn.explain import METHODS, find_method, methods_for
from tinydnn.models import MODELS, adapted, squeezenet1_1
from tinydnn.ops import Operation

NOT_FOR = {
    "paper_like": {"regions"},
    "nested": {"regions"},
    "regions": set(),
    "linear": {"guided-backprop", "grad-cam", "grad-cam++", "layer-cam", "regions"},
    "smooth": {"guided-backprop", "grad-cam", "grad-cam++", "layer-cam", "regions"},
}
OWN = set(NOT_FOR["linear"]) | {"saliency", "gradient-x-input", "smooth-grad", "integrated-gradients"} | {
    "occlusion", "rise",
}  # fmt: skip
NETWORKS = {
    **{f"{name}, {channels} channels": (build, {"in_channels": channels}) for name, build in MODELS.items()
       for channels in (1, 4)},
    "squeezenet": (squeezenet1_1, {"classes": 3}),
    "alexnet": (lambda **options: adapted("alexnet", head="mlp", classes=3, seed=0, **options), {}),
    "vgg16": (lambda **options: adapted("vgg16", head="linear", classes=3, seed=0, **options), {"image_size": 32}),
}  # fmt: skip


@pytest.fixture
def few(monkeypatch):
    """Fewer copies and masks, for speed."""
    for name, options in {
        "smooth_grad": {"samples": 3},
        "integrated_gradients": {"steps": 3},
        "rise": {"masks": 5},
    }.items():
        method = METHODS[name.replace("_", "-")]
        few = lambda *args, function=method.attribute, options=options: function(*args, **options)  # noqa: E731
        monkeypatch.setitem(METHODS, method.name, explain.Method(method.name, method.title, few, method.relevance))


def test_the_methods_have_the_names_of_the_command_line():
    assert METHODS.keys() >= OWN
    assert all(find_method(name).name == name for name in METHODS)


def test_another_name_is_an_error_that_lists_the_methods():
    with pytest.raises(InputError, match=r"method: expected one of saliency, .*rise, regions.*, found 'gradcam'"):
        find_method("gradcam")


@pytest.mark.parametrize("name", NOT_FOR)
def test_the_methods_for_a_model_are_those_that_can_explain_it(name, make_network, make_images):
    model, (x, classes) = make_network(name), make_images(1)
    assert OWN - {method.name for method in methods_for(model)} == NOT_FOR[name]
    for unfit in NOT_FOR[name]:
        with pytest.raises(InputError, match="expected a "):
            METHODS[unfit].maps(model, x, classes)


@pytest.mark.parametrize("method", sorted(OWN))
@pytest.mark.usefixtures("few")
def test_maps_are_finite_numbers_from_0_of_the_size_of_the_image(method, make_network, make_images):
    model, (x, classes) = make_network("regions"), make_images()
    maps = METHODS[method].maps(model, x, classes)
    assert maps.shape == (4, 12, 16)
    assert np.isfinite(maps).all()
    assert maps.min() >= 0
    assert maps.max() > 0


@pytest.mark.parametrize("method", sorted(OWN))
@pytest.mark.usefixtures("few")
def test_an_explanation_does_not_depend_on_the_other_images_of_the_batch(method, make_network, make_images):
    model, (x, classes) = make_network("regions"), make_images(3)
    together = METHODS[method].maps(model, x, classes)
    changed = np.concatenate([9 * x[:1], x[1:2], -x[2:]])
    alone = METHODS[method].maps(model, x[1:2], classes[1:2])
    np.testing.assert_allclose(together[1], alone[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(METHODS[method].maps(model, changed, classes)[1], alone[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", sorted(OWN))
@pytest.mark.usefixtures("few")
def test_maps_of_more_images_than_a_batch_are_those_of_its_batches(method, make_network, make_images, monkeypatch):
    model, (x, classes) = make_network("regions"), make_images(5)
    expected = METHODS[method].maps(model, x, classes)
    monkeypatch.setattr("tinydnn.explain.method.BATCH", 2)
    monkeypatch.setattr("tinydnn.explain.copies.BATCH", 3)
    np.testing.assert_allclose(METHODS[method].maps(model, x, classes), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", sorted(OWN))
@pytest.mark.usefixtures("few")
def test_nothing_of_the_model_or_the_images_changes(method, make_network, make_images):
    model, (x, classes) = make_network("regions"), make_images()
    state, kept = {name: value.copy() for name, value in model.state().items()}, x.copy()
    METHODS[method].maps(model, x, classes)
    np.testing.assert_array_equal(x, kept)
    for name, value in model.state().items():
        np.testing.assert_array_equal(value, state[name])
    assert all(parameter.grad is None for parameter in model.parameters().values())


@pytest.mark.parametrize("method", sorted(OWN))
@pytest.mark.usefixtures("few")
def test_float32_stays_float32(method, make_network, make_images, monkeypatch):
    """A stray float64 would double the memory, and operations refuse a mixture."""
    model, (x, classes) = make_network("regions", np.float32), make_images(2, np.float32)
    dtypes, call = set(), Operation.__call__

    def recording(self, *args, **kwargs):
        dtypes.update(arg.dtype for arg in args if isinstance(arg, np.ndarray) and arg.dtype.kind == "f")
        return call(self, *args, **kwargs)

    monkeypatch.setattr(Operation, "__call__", recording)
    attributions = METHODS[method].attribute(model, x, classes)
    assert attributions.dtype == METHODS[method].relevance(attributions).dtype == np.float32
    assert dtypes == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.usefixtures("few")
def test_every_network_can_be_explained(name):
    build, options = NETWORKS[name]
    model = build(**{"image_size": 64, **options})
    x = np.random.default_rng(0).standard_normal((1, *model.input_shape)).astype(np.float32)
    found = {method.name: method.maps(model, x, np.array([1])) for method in methods_for(model) if method.name in OWN}
    without_relu = {"guided-backprop", "grad-cam", "grad-cam++", "layer-cam"} if "vit" in name else set()
    assert OWN - found.keys() == without_relu | (set() if "regions" in name else {"regions"})
    for maps in found.values():
        assert maps.shape == (1, *model.input_shape[1:])
        assert np.isfinite(maps).all()


@pytest.fixture(params=["emulated", pytest.param("real", marks=pytest.mark.gpu)])
def on_gpu(request):
    """A function: an array on an emulated GPU, whose threads run in one order, then on a real one."""
    if request.param == "real":
        request.getfixturevalue("real_gpu")
        import cupy

        yield cupy.asarray
        return
    if shutil.which("g++") is None:
        pytest.skip("the emulated GPU needs g++, which is not installed")
    with emulated("forward"):
        yield np.asarray


@pytest.mark.parametrize("method", sorted(OWN))
@pytest.mark.usefixtures("few")
def test_explanations_on_a_gpu_equal_those_on_the_cpu(method, on_gpu, make_network, make_images):
    model, (x, classes) = make_network("regions", np.float32), make_images(2, np.float32)
    on_cpu = METHODS[method].maps(make_network("regions", np.float64), x.astype(np.float64), classes)
    maps = METHODS[method].maps(model.to("cuda"), on_gpu(x), on_gpu(classes))
    assert array_module(maps) is array_module(on_gpu(x))
    maps = maps if isinstance(maps, np.ndarray) else maps.get()
    np.testing.assert_allclose(maps, on_cpu, rtol=1e-3, atol=1e-4 * on_cpu.max())
