"""The published networks against PyTorch: feature map and gradients with the same weights."""

from contextlib import nullcontext

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.models import NETWORKS, squeezenet1_1
from tinydnn.weights import load
from tinydnn.weights.names import published_name


def vgg16(nn):
    layers, previous = [], 3
    for convolutions, channels in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(convolutions):
            layers += [nn.Conv2d(previous, channels, 3, padding=1), nn.ReLU()]
            previous = channels
        layers.append(nn.MaxPool2d(2))
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


def relative_error(z, expected):
    return np.abs(z - expected).max() / np.abs(expected).max()


def without_winograd(name):
    """A context without Winograd convolution, whose rounding changes the argmax of some pooling windows."""
    if name != "vgg16":  # the others have no 2 x 2 pooling, which the fused operation requires
        return nullcontext()
    return ops.use(conv2d_relu_maxpool2d="numba" if "numba" in ops.conv2d_relu_maxpool2d.names() else "fused")


def errors_against_pytorch(name, model, torch, size, count=2):
    """The largest relative errors of the feature map, the prediction and each gradient, by name."""
    reference = build(name, torch)
    tensors = {f"features.{key}": tensor for key, tensor in reference.state_dict().items()}
    parameters = {published_name(key): parameter for key, parameter in model.parameters().items()}
    assert parameters.keys() == tensors.keys()
    with torch.no_grad():
        for key, parameter in parameters.items():
            tensors[key].copy_(torch.tensor(parameter.value))
    x = np.random.default_rng(0).standard_normal((count, 3, size, size)).astype(np.float32)
    with without_winograd(name):
        value, backward = model(x, training=True)
    torch_x = torch.tensor(x, requires_grad=True)
    expected = reference(torch_x)
    dz = np.random.default_rng(1).standard_normal(value.shape).astype(np.float32)
    dx = backward(dz)
    expected.backward(torch.tensor(dz))
    errors = {
        "feature map": relative_error(value, expected.detach().numpy()),
        "input gradient": relative_error(dx, torch_x.grad.numpy()),
    }
    errors["prediction"] = relative_error(model.predict(x), expected.detach().numpy())
    for key, parameter in reference.named_parameters():
        errors[key] = relative_error(parameters[f"features.{key}"].grad, parameter.grad.numpy())
    return errors


@pytest.mark.parametrize(("name", "size"), [("vgg16", 50), ("alexnet", 101), ("squeezenet1_1", 70)])
def test_a_trunk_with_random_weights_agrees_with_pytorch(name, size, torch):
    errors = errors_against_pytorch(name, NETWORKS[name].trunk(image_size=size), torch, size)
    assert max(errors.values()) < 1e-4, errors


FILES = {
    "vgg16": "vgg16_features_imagenet",
    "alexnet": "alexnet_features_imagenet",
    "squeezenet1_1": "squeezenet1_1_imagenet",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_trunk_with_published_weights_agrees_with_pytorch(name, torch, real_weights):
    model = NETWORKS[name].trunk(image_size=128)
    load(model, real_weights / f"{FILES[name]}.safetensors", module="features")
    errors = errors_against_pytorch(name, model, torch, 128)
    print(name, {key: errors[key] for key in ("feature map", "prediction", "input gradient")})
    assert max(errors.values()) < 1e-4, errors


def test_squeezenet_recognises_a_cat(real_weights):
    """The logits of one image agree with those of another runtime."""
    reference = np.load(real_weights / "squeezenet1_1_check.npz")
    names = (real_weights / "imagenet_classes.txt").read_text().splitlines()
    model = squeezenet1_1(image_size=227)
    load(model, real_weights / "squeezenet1_1_imagenet.safetensors")
    logits = model.predict(reference["input"])[0]
    assert relative_error(logits, reference["last"]) < 1e-3
    top = [names[k].split(" ", 1)[1] for k in np.argsort(-logits)[:5]]
    assert top == [
        "tabby, tabby cat",
        "Egyptian cat",
        "tiger cat",
        "lynx, catamount",
        "cheetah, chetah, Acinonyx jubatus",
    ]
