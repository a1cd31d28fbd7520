"""Sanity checks: what knows nothing of the network fails, what depends on its weights passes."""

import numpy as np
import pytest

from tinydnn.explain.baselines import BASELINES
from tinydnn.explain.methods import METHODS
from tinydnn.explain.sanity import (
    FAILED_ALL,
    FAILED_LAST,
    PASSED,
    Cascade,
    cascade,
    compare_networks,
    mean_rank_correlation,
    randomisations,
)
from tinydnn.layers import AttentionPool2d, BatchNorm2d, Conv2d, Linear, Parameter, Sequential
from tinydnn.models import adapted, attention_cnn, baseline_cnn, batchnorm_cnn
from tinydnn.models.regions import region_cnn

NETWORKS = {
    "baseline": lambda seed=0: baseline_cnn(image_size=16, seed=seed),
    "batchnorm": lambda seed=0: batchnorm_cnn(image_size=16, seed=seed),
    "regions": lambda seed=0: region_cnn(image_size=16, seed=seed),
    "squeezenet1_1": lambda seed=0: adapted("squeezenet1_1", head="gap", image_size=48, classes=3, seed=seed),
    "alexnet": lambda seed=0: adapted("alexnet", head="mlp", image_size=64, classes=3, seed=seed),
}


def images(model, count=4):
    return np.random.default_rng(0).standard_normal((count, *model.input_shape)).astype(np.float32)


@pytest.mark.parametrize("name", BASELINES)
def test_what_ignores_the_network_fails(name):
    model = NETWORKS["baseline"]()
    result = cascade(BASELINES[name], model, images(model), np.zeros(4, int))
    assert result.correlations == pytest.approx((1.0,) * 6)
    assert result.random_pair == pytest.approx(1)
    assert result.verdict == FAILED_ALL


@pytest.mark.parametrize("name", ["baseline", "batchnorm", "regions"])
def test_saliency_depends_on_the_weights(name):
    model = NETWORKS[name]()
    result = cascade(METHODS["saliency"], model, images(model), np.zeros(4, int))
    assert result.verdict != FAILED_ALL
    assert abs(result.random_pair) < 0.5


@pytest.mark.parametrize(
    ("correlations", "verdict"),
    [((0.49, 0.9, 0.49), PASSED), ((0.5, 0.1), FAILED_LAST), ((0.1, 0.5), FAILED_ALL), ((0.9, 0.9), FAILED_ALL)],
)
def test_the_verdict_is_of_the_first_and_of_the_last_stage(correlations, verdict):
    assert Cascade(("b", "a"), correlations, 0.0).verdict == verdict


def test_attention_pooling_is_blind_to_the_layers_after_it():
    model = attention_cnn(image_size=32)
    pooling = next(layer for layer in model.layers if isinstance(layer, AttentionPool2d))
    pooling.weight.value = np.random.default_rng(1).normal(0, 3, pooling.weight.value.shape).astype(np.float32)
    result = cascade(METHODS["attention"], model, images(model), np.zeros(4, int))
    assert result.correlations[0] == pytest.approx(1)
    assert result.verdict in (FAILED_LAST, FAILED_ALL)


def test_a_network_of_nested_layers_has_a_correlation_for_each_of_them():
    model = NETWORKS["squeezenet1_1"]()
    result = cascade(METHODS["saliency"], model, images(model, 1), np.zeros(1, int))
    assert len(result.layers) == len(result.correlations) == 26
    assert max(result.correlations) < 0.99


def test_layers_are_randomised_from_the_last_to_the_first_and_stay_so():
    model = NETWORKS["baseline"]()
    before = {name: value.copy() for name, value in model.state().items()}
    changed = set()
    for name, randomised in randomisations(model):
        changed.add(name)
        differing = {key.rsplit("/", 1)[0] for key, value in randomised.state().items() if (value != before[key]).any()}
        assert differing == changed
    assert [name for name, _ in randomisations(model)][:2] == ["16-linear", "13-linear"]
    assert all((model.state()[name] == value).all() for name, value in before.items())


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_becomes_that_of_an_untrained_layer(name):
    model = NETWORKS[name]()
    for member in model.parameters().values():
        member.value = member.value + np.float32(7)
    *_, (_, randomised) = randomisations(model)
    assert all(abs(value).mean() < 2 for value in randomised.state().values())
    assert randomised.parameters().keys() == model.parameters().keys()
    assert all(member.value.dtype == np.float32 for member in randomised.parameters().values())


def test_nested_layers_are_stages_of_their_own():
    model = NETWORKS["squeezenet1_1"]()
    names = [name for name, _ in randomisations(model)]
    assert len(names) == 1 + 8 * 3 + 1  # the first convolution, three in each fire module, and the head
    assert names[1] == "12-features.12/02-concat/01-sequential/00-expand3x3"


def test_batch_normalisation_starts_with_initial_moments():
    norm = BatchNorm2d(1)
    norm.running_mean.value += 5
    norm.gamma.value *= 3
    model = Sequential(Conv2d(1, 1, 3, rng=np.random.default_rng(0)), norm)
    name, randomised = next(randomisations(model))
    assert name == "01-batchnorm2d"
    state = randomised.layers[1].state()
    assert {key: value.tolist() for key, value in state.items()} == {
        "gamma": [1], "beta": [0], "running_mean": [0], "running_var": [1]
    }  # fmt: skip


def test_weights_that_begin_as_zeros_become_random_numbers_of_the_trained_size():
    """With zeros the map of attention pooling would be constant, and would pass whatever it shows."""
    model = attention_cnn(image_size=32)
    pooling = next(layer for layer in model.layers if isinstance(layer, AttentionPool2d))
    pooling.weight.value = np.random.default_rng(1).normal(0, 3, pooling.weight.value.shape).astype(np.float32)
    x = np.random.default_rng(0).standard_normal((2, 1, 32, 32)).astype(np.float32)
    *_, (_, randomised) = randomisations(model)
    weight = next(layer for layer in randomised.layers if isinstance(layer, AttentionPool2d)).weight.value
    assert weight.dtype == np.float32
    assert 2 < weight.std() < 4
    assert (np.ptp(METHODS["attention"].maps(randomised, x, np.zeros(2, int)), axis=(1, 2)) > 0).all()


def test_parameters_of_a_layer_that_contains_others_are_randomised_too():
    class Scaled(Linear):
        """A layer with a parameter of its own and one inside."""

        def __init__(self, in_features, out_features, *, rng):
            super().__init__(in_features, out_features, rng=rng)
            self.inner = Linear(2, 2, rng=rng)

        def named_layers(self):
            return [("inner", self.inner)]

    model = Sequential(Scaled(2, 2, rng=np.random.default_rng(0)))
    assert [name for name, _ in randomisations(model)] == ["00-scaled/inner", "00-scaled"]
    assert isinstance(model.layers[0].inner.weight, Parameter)


def test_the_same_seed_gives_the_same_cascade():
    model = NETWORKS["baseline"]()
    x, classes = images(model), np.zeros(4, int)
    first, again, other = (cascade(METHODS["saliency"], model, x, classes, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_networks_of_equal_weights_have_equal_maps_and_others_have_not():
    first, same, other = NETWORKS["baseline"](), NETWORKS["baseline"](), NETWORKS["baseline"](seed=1)
    x, classes = images(first), np.zeros(4, int)
    assert compare_networks(METHODS["saliency"], first, same, x, classes) == pytest.approx(1)
    assert compare_networks(METHODS["saliency"], first, other, x, classes) < 0.5


def test_rank_correlation_is_the_mean_over_maps_and_knows_ranks_only():
    a = np.arange(6.0).reshape(1, 2, 3)
    assert mean_rank_correlation(a, a**3) == pytest.approx(1)
    assert mean_rank_correlation(np.concatenate([a, a]), np.concatenate([a, -a])) == pytest.approx(0)
    assert mean_rank_correlation(a, np.ones_like(a)) == 0  # a constant map has no ranks
