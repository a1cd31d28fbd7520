"""The published networks against the same networks in PyTorch: last feature map and gradients with the same weights."""

from contextlib import nullcontext

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.models import NETWORKS, squeezenet1_1
from tinydnn.weights import load
from tinydnn.weights.names import plain


def vgg16(nn):
    layers, previous = [], 3
    for channels in (
        64,
        64,
        "pool",
        128,
        128,
        "pool",
        *(3 * [256]),
        "pool",
        *(3 * [512]),
        "pool",
        *(3 * [512]),
        "pool",
    ):
        if channels == "pool":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(previous, channels, 3, padding=1), nn.ReLU()]
            previous = channels
    return nn.Sequential(*layers)


def alexnet(nn):
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
    )  # fmt: skip


def squeezenet1_1_features(nn, torch):
    class Fire(nn.Module):
        def __init__(self, channels, squeezed, expanded):
            super().__init__()
            self.squeeze = nn.Conv2d(channels, squeezed, 1)
            self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
            self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

        def forward(self, x):
            x = self.squeeze(x).relu()
            return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)

    return nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2), Fire(64, 16, 64), Fire(128, 16, 64),
        nn.MaxPool2d(3, 2), Fire(128, 32, 128), Fire(256, 32, 128), nn.MaxPool2d(3, 2), Fire(256, 48, 192),
        Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
    )  # fmt: skip


def build(name, torch):
    if name == "squeezenet1_1":
        return squeezenet1_1_features(torch.nn, torch)
    return {"vgg16": vgg16, "alexnet": alexnet}[name](torch.nn)


def relative(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def direct(name):
    """A context without Winograd's filtering: rounded otherwise, it would send some gradients another way."""
    able = ops.conv2d_relu_maxpool2d.names()
    pooled_by_two = name == "vgg16"
    return ops.use(conv2d_relu_maxpool2d="numba" if "numba" in able else "fused") if pooled_by_two else nullcontext()


def hold_to_pytorch(name, model, torch, size, count=2):
    """Largest relative differences of the last feature map and of the gradients, by what they are of."""
    theirs = build(name, torch)
    state = {f"features.{key}": one for key, one in theirs.state_dict().items()}
    ours = {plain(key): one for key, one in model.parameters().items()}
    assert ours.keys() == state.keys()
    with torch.no_grad():
        for key, one in ours.items():
            state[key].copy_(torch.tensor(one.value))
    x = np.random.default_rng(0).standard_normal((count, 3, size, size)).astype(np.float32)
    with direct(name):
        value, backward = model(x, training=True)
    given = torch.tensor(x, requires_grad=True)
    expected = theirs(given)
    dz = np.random.default_rng(1).standard_normal(value.shape).astype(np.float32)
    dx = backward(dz)
    expected.backward(torch.tensor(dz))
    found = {
        "feature map": relative(value, expected.detach().numpy()),
        "input gradient": relative(dx, given.grad.numpy()),
    }
    found["prediction"] = relative(model.predict(x), expected.detach().numpy())
    for key, one in theirs.named_parameters():
        found[key] = relative(ours[f"features.{key}"].grad, one.grad.numpy())
    return found


@pytest.mark.parametrize(("name", "size"), [("vgg16", 50), ("alexnet", 101), ("squeezenet1_1", 70)])
def test_a_trunk_with_random_weights_is_pytorchs(name, size, torch):
    found = hold_to_pytorch(name, NETWORKS[name].trunk(image_size=size), torch, size)
    assert max(found.values()) < 1e-4, found


FILES = {
    "vgg16": "vgg16_features_imagenet",
    "alexnet": "alexnet_features_imagenet",
    "squeezenet1_1": "squeezenet1_1_imagenet",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_trunk_with_its_published_weights_is_pytorchs(name, torch, real_weights):
    model = NETWORKS[name].trunk(image_size=128)
    load(model, real_weights / f"{FILES[name]}.safetensors", part="features")
    found = hold_to_pytorch(name, model, torch, 128)
    print(name, {key: found[key] for key in ("feature map", "prediction", "input gradient")})
    assert max(found.values()) < 1e-4, found


def test_squeezenet_sees_the_cat(real_weights):
    """The logits of one real picture, as another runtime computed them."""
    checked = np.load(real_weights / "squeezenet1_1_check.npz")
    names = (real_weights / "imagenet_classes.txt").read_text().splitlines()
    model = squeezenet1_1(image_size=227)
    load(model, real_weights / "squeezenet1_1_imagenet.safetensors")
    logits = model.predict(checked["input"])[0]
    assert relative(logits, checked["last"]) < 1e-3
    top = [names[k].split(" ", 1)[1] for k in np.argsort(-logits)[:5]]
    assert top == [
        "tabby, tabby cat",
        "Egyptian cat",
        "tiger cat",
        "lynx, catamount",
        "cheetah, chetah, Acinonyx jubatus",
    ]
