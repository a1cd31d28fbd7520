"""The published networks: parameter counts, names of weights, image sizes, and new heads."""

import numpy as np
import pytest

from tinydnn.checkpoint import SavedModel, load_model, save_model
from tinydnn.data.normalise import CAFFE, TORCHVISION
from tinydnn.errors import InputError
from tinydnn.models import HEADS, NETWORKS, adapted, alexnet, squeezenet1_1, vgg16
from tinydnn.weights.names import published_name


def count(model):
    return sum(parameter.value.size for parameter in model.parameters().values())


@pytest.fixture
def no_draws(monkeypatch):
    """Zero weights: drawing random ones takes seconds for the largest matrices."""
    zeros = lambda shape, fan_in, rng: np.zeros(shape, np.float32)  # noqa: E731
    for module in ("conv", "linear"):
        monkeypatch.setattr(f"tinydnn.layers.{module}.he_normal", zeros)


@pytest.mark.parametrize(
    ("build", "parameters", "in_trunk"),
    [(vgg16, 138_357_544, 14_714_688), (alexnet, 61_100_840, 2_469_696), (squeezenet1_1, 1_235_496, 722_496)],
)
def test_parameter_counts_are_the_published_ones(build, parameters, in_trunk, no_draws):
    model = build()
    assert count(model) == parameters
    sizes = {name: parameter.value.size for name, parameter in model.parameters().items()}
    assert sum(size for name, size in sizes.items() if "features" in name) == in_trunk
    assert count(NETWORKS[build.__name__].trunk()) == in_trunk


def test_names_are_the_published_ones(no_draws):
    assert [published_name(name) for name in NETWORKS["vgg16"].trunk().parameters()][::2] == [
        f"features.{k}.weight" for k in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    ]
    assert [published_name(name) for name in alexnet().parameters()][::2] == [
        *(f"features.{k}.weight" for k in (0, 3, 6, 8, 10)), *(f"classifier.{k}.weight" for k in (1, 4, 6))
    ]  # fmt: skip
    names = [published_name(name) for name in squeezenet1_1().parameters()]
    assert names[:2] == ["features.0.weight", "features.0.bias"]
    assert names[2:8:2] == ["features.3.squeeze.weight", "features.3.expand1x1.weight", "features.3.expand3x3.weight"]
    assert names[-2] == "classifier.1.weight"
    assert len(set(names)) == len(names) == 52


def test_a_fully_connected_classifier_takes_one_image_size(no_draws):
    with pytest.raises(InputError, match=r"vgg16: expected an image size that gives the classifier 7 x 7 features, "
                                         r"such as 224, found 128, which gives 4 x 4"):  # fmt: skip
        vgg16(image_size=128)


def test_squeezenet_classifies_images_of_other_sizes():
    model = squeezenet1_1(image_size=64, classes=5)
    assert model.predict(np.zeros((2, 3, 64, 64), np.float32)).shape == (2, 5)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_image_too_small_for_the_poolings_is_refused(name):
    with pytest.raises(InputError, match=f"{name}: image size: expected more pixels for its poolings, found 15"):
        adapted(name, head="gap", image_size=15, classes=3, seed=0)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(("name", "size"), [("alexnet", 63), ("squeezenet1_1", 48)])
def test_a_trunk_with_a_new_head_is_saved_and_loaded(name, size, head, tmp_path):
    model = adapted(name, head=head, image_size=size, classes=4, seed=3)
    x = np.random.default_rng(0).standard_normal((2, 3, size, size)).astype(np.float32)
    logits = model.predict(x)
    assert logits.shape == (2, 4)
    assert len({name for name in model.names if name.startswith("head.")}) >= 3
    for normalise in (TORCHVISION, CAFFE):
        save_model(tmp_path / "m.h5", SavedModel(model, normalise, ("a", "b", "c", "d")))
        loaded = load_model(tmp_path / "m.h5")
        assert np.array_equal(loaded.model.predict(x), logits)
        assert loaded.model.names == model.names
        assert loaded.normalise == normalise
        assert loaded.size == size


def test_the_seed_determines_head_and_trunk():
    models = (adapted("squeezenet1_1", head="mlp", image_size=48, classes=3, seed=seed) for seed in (1, 1, 2))
    state, same_seed, other_seed = (model.state() for model in models)
    for name, value in state.items():
        assert np.array_equal(value, same_seed[name])
        assert name.endswith("bias") or not np.array_equal(value, other_seed[name])


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [("resnet", "gap", "network: expected one of vgg16, alexnet"), ("alexnet", "svm", "head: expected one of linear")],
)
def test_an_unknown_network_or_head_is_refused(name, head, words):
    with pytest.raises(InputError, match=words):
        adapted(name, head=head, image_size=128, classes=3, seed=0)


def test_the_summary_names_every_layer():
    lines = str(squeezenet1_1(image_size=64).summary()).splitlines()
    assert lines[2].startswith("00-features.0 (conv2d) ")
    assert lines[5].startswith("03-features.3 (sequential) ")
    assert lines[-1].split()[:2] == ["all", "1,235,496"]
