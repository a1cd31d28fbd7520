"""Parity with Captum: the same attributions for the same weights, in float64.

`pytest -s` prints the largest relative difference of each method. It is about 1e-8 where Captum rounds to float32 on
its way: the weights of integrated gradients, and the sums of occlusion.
"""

import warnings
from functools import partial

import numpy as np
import pytest

from tinydnn import explain
from tinydnn.layers import (
    BatchNorm2d,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
)

CLOSE = 1e-6
SAMPLES, NOISE, SEED = 6, 0.15, 4
HOOKS = "ignore:Setting backward hooks on ReLU activations:UserWarning"  # said by captum.attr.GuidedBackprop
pytestmark = pytest.mark.filterwarnings(HOOKS)


@pytest.fixture(scope="module")
def torch():
    """PyTorch, if it is installed, with new tensors in float64."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("torch", reason="PyTorch, on which Captum runs, is not installed")
    module.set_num_threads(1)
    before = module.get_default_dtype()
    module.set_default_dtype(module.float64)
    yield module
    module.set_default_dtype(before)


@pytest.fixture(scope="module")
def captum(torch):
    """`captum.attr`, if it is installed."""
    return pytest.importorskip("captum.attr", reason="Captum, which the results are compared with, is not installed")


def converted(layer, torch):
    """A layer as a PyTorch module with the same weights, in evaluation mode."""
    nn = torch.nn

    def with_weights(module, **arrays):
        with torch.no_grad():
            for name, array in arrays.items():
                getattr(module, name).copy_(torch.tensor(array.value))
        return module.eval()

    class Parallel(nn.Module):
        def __init__(self, branches):
            super().__init__()
            self.branches = nn.ModuleList(branches)

        def forward(self, x):
            return torch.cat([branch(x) for branch in self.branches], 1)

    match layer:
        case Sequential():
            return nn.Sequential(*(converted(inner, torch) for inner in layer.layers))
        case Concat():
            return Parallel([converted(branch, torch) for branch in layer.branches])
        case Conv2d():
            shape = layer.in_channels, layer.out_channels, layer.kernel_size
            module = nn.Conv2d(*shape, stride=layer.stride, padding=layer.padding, bias=layer.bias is not None)
            return with_weights(module, weight=layer.weight, **({"bias": layer.bias} if layer.bias else {}))
        case Linear():
            return with_weights(nn.Linear(layer.in_features, layer.out_features), weight=layer.weight, bias=layer.bias)
        case BatchNorm2d():
            moments = {"running_mean": layer.running_mean, "running_var": layer.running_var}
            module = nn.BatchNorm2d(layer.channels, eps=layer.eps)
            return with_weights(module, weight=layer.gamma, bias=layer.beta, **moments)
        case MaxPool2d():
            return nn.MaxPool2d(layer.window, layer.stride)
        case GlobalAvgPool2d():
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        case _:
            return {ReLU: nn.ReLU, Flatten: nn.Flatten, Dropout: nn.Identity}[type(layer)]()


class Pair:
    """A network and its images in both libraries."""

    def __init__(self, torch, captum, model, x, classes):
        self.torch, self.captum = torch, captum
        self.model, self.x, self.classes = model, x, classes
        self.module = converted(model, torch)
        self.target = torch.tensor(classes)

    def theirs(self, attribution, **options):
        x = self.torch.tensor(self.x, requires_grad=True)
        return attribution.attribute(x, target=self.target, **options).detach().numpy()

    def ours(self, method, **options):
        return method(self.model, self.x, self.classes, **options)


def saliency(pair):
    return pair.ours(explain.saliency), pair.theirs(pair.captum.Saliency(pair.module), abs=False)


def gradient_x_input(pair):
    return pair.ours(explain.gradient_x_input), pair.theirs(pair.captum.InputXGradient(pair.module))


def guided_backprop(pair):
    return pair.ours(explain.guided_backprop), pair.theirs(pair.captum.GuidedBackprop(pair.module))


def smooth_grad(pair):
    """With the same noise: Captum's generator is replaced, and its one σ for all images by one for each."""
    rng = np.random.default_rng(SEED)
    epsilons = np.stack([rng.standard_normal(pair.x.shape[1:]) for _ in range(SAMPLES)])
    ranges = pair.x.max(axis=(1, 2, 3)) - pair.x.min(axis=(1, 2, 3))
    noise = pair.torch.tensor((NOISE * ranges)[:, None, None, None, None] * epsilons)  # (N, M, C, H, W), as Captum asks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair.torch, "normal", lambda mean, deviations: noise.reshape(deviations.shape))
        tunnel = pair.captum.NoiseTunnel(pair.captum.Saliency(pair.module))
        theirs = pair.theirs(tunnel, nt_type="smoothgrad", nt_samples=SAMPLES, stdevs=1.0, abs=False)
    return pair.ours(explain.smooth_grad, samples=SAMPLES, noise=NOISE, seed=SEED), theirs


def integrated_gradients(pair, steps, baseline):
    theirs = pair.captum.IntegratedGradients(pair.module)
    options = {"n_steps": steps, "method": "gausslegendre", "baselines": pair.torch.tensor(baseline)[None]}
    ours = pair.ours(explain.integrated_gradients, steps=steps, baseline=baseline)
    return ours, pair.theirs(theirs, **options)


def grad_cam(pair, layer):
    theirs = pair.captum.LayerGradCam(pair.module, pair.module[layer])
    name = list(dict(pair.model.named_layers()))[layer]
    small = pair.torch.tensor(pair.theirs(theirs, relu_attributions=True))
    theirs = pair.captum.LayerAttribution.interpolate(small, pair.x.shape[2:], "bilinear")
    return pair.ours(explain.grad_cam, layer=name), theirs[:, 0].numpy()


def occlusion(pair, patch, stride):
    channels = pair.x.shape[1]
    windows = {"sliding_window_shapes": (channels, patch, patch), "strides": (channels, stride, stride)}
    theirs = pair.theirs(pair.captum.Occlusion(pair.module), **windows)
    return pair.ours(explain.occlusion, patch=patch, stride=stride)[:, None].repeat(channels, axis=1), theirs


BASELINE = np.random.default_rng(2).standard_normal((2, 12, 16))
COMPARISONS = {
    "Saliency": saliency,
    "Gradient × input": gradient_x_input,
    "Guided backpropagation": guided_backprop,
    "SmoothGrad, the same noise": smooth_grad,
    "Integrated gradients, 32 steps from 0": partial(integrated_gradients, steps=32, baseline=0 * BASELINE),
    "Integrated gradients, 50 steps from noise": partial(integrated_gradients, steps=50, baseline=BASELINE),
    "Grad-CAM before pooling, not enlarged": partial(grad_cam, layer=1),
    "Grad-CAM of a deep layer, enlarged": partial(grad_cam, layer=4),
    "Occlusion, patch 4, stride 2": partial(occlusion, patch=4, stride=2),
    "Occlusion, patch 5, stride 3": partial(occlusion, patch=5, stride=3),
}


@pytest.mark.parametrize("network", ["paper_like", "nested"])
@pytest.mark.parametrize("comparison", COMPARISONS)
def test_attributions_equal_those_of_captum(comparison, network, torch, captum, make_network, make_images):
    pair = Pair(torch, captum, make_network(network), *make_images())
    ours, theirs = COMPARISONS[comparison](pair)
    assert ours.shape == theirs.shape
    assert np.abs(theirs).max() > 0
    difference = np.abs(ours - theirs).max() / np.abs(theirs).max()
    print(f"\n{comparison:42} {network:11} largest relative difference {difference:.1e}")
    assert difference < CLOSE


@pytest.mark.parametrize("network", ["paper_like", "nested"])
def test_the_completeness_error_equals_captums_convergence_delta(network, torch, captum, make_network, make_images):
    pair = Pair(torch, captum, make_network(network), *make_images())
    a = pair.ours(explain.integrated_gradients, steps=8)
    theirs = captum.IntegratedGradients(pair.module).attribute(
        torch.tensor(pair.x), target=pair.target, n_steps=8, return_convergence_delta=True
    )
    ours = explain.completeness_error(pair.model, pair.x, pair.classes, a)
    np.testing.assert_allclose(ours, theirs[1].numpy(), atol=1e-6 * np.abs(a).sum(axis=(1, 2, 3)).max())
