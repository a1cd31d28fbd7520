"""Invalid arguments are refused with a message that names operation, argument, expected and found."""

import numpy as np
import pytest

from tinydnn import ops


def f(*shape, dtype=np.float64):
    return np.zeros(shape, dtype)


def batchnorm(x=None, gamma=None, beta=None, mean=None, var=None, **options):
    vectors = (f(3) if vector is None else vector for vector in (gamma, beta, mean, var))
    return ops.batchnorm2d(f(2, 3, 4, 5) if x is None else x, *vectors, **{"batch_statistics": True, **options})


X, W = f(2, 3, 6, 5), f(4, 3, 3, 3)
LABELS = np.zeros(2, int)

REFUSED = {
    # conv2d
    "conv2d: x a list": (lambda: ops.conv2d([1], W, None), TypeError, "x: expected an array, found list"),
    "conv2d: x int": (
        lambda: ops.conv2d(f(2, 3, 6, 5, dtype=int), W, None),
        TypeError,
        "x: expected dtype float32 or float64, found int64",
    ),
    "conv2d: x float64, the rest float32": (
        lambda: ops.conv2d(X, W.astype(np.float32), f(4, dtype=np.float32)),
        TypeError,
        "x: expected float32, the dtype of w, found float64",
    ),
    "conv2d: b float32": (
        lambda: ops.conv2d(X, W, f(4, dtype=np.float32)),
        TypeError,
        "b: expected float64, the dtype of w, found float32",
    ),
    "conv2d: x flat": (
        lambda: ops.conv2d(f(3, 6, 5), W, None),
        ValueError,
        "x: expected a shape (N, C, H, W) without zeros, found (3, 6, 5)",
    ),
    "conv2d: no image": (
        lambda: ops.conv2d(f(0, 3, 6, 5), W, None),
        ValueError,
        "x: expected a shape (N, C, H, W) without zeros, found (0, 3, 6, 5)",
    ),
    "conv2d: w flat": (
        lambda: ops.conv2d(X, f(3, 3), None),
        ValueError,
        "w: expected a shape (O, C, kh, kw) without zeros, found (3, 3)",
    ),
    "conv2d: channels": (
        lambda: ops.conv2d(X, f(4, 2, 3, 3), None),
        ValueError,
        "x: expected shape (2, 2, 6, 5) for a w of shape (4, 2, 3, 3), found (2, 3, 6, 5)",
    ),
    "conv2d: bias": (
        lambda: ops.conv2d(X, W, f(3)),
        ValueError,
        "b: expected shape (4,) for a w of shape (4, 3, 3, 3), found (3,)",
    ),
    "conv2d: stride 0": (lambda: ops.conv2d(X, W, None, stride=0), ValueError, "stride: expected at least 1, found 0"),
    "conv2d: stride 1.5": (
        lambda: ops.conv2d(X, W, None, stride=1.5),
        TypeError,
        "stride: expected an integer, found float",
    ),
    "conv2d: stride True": (
        lambda: ops.conv2d(X, W, None, stride=True),
        TypeError,
        "stride: expected an integer, found bool",
    ),
    "conv2d: padding": (
        lambda: ops.conv2d(X, W, None, padding=-1),
        ValueError,
        "padding: expected at least 0, found -1",
    ),
    "conv2d: kernel": (
        lambda: ops.conv2d(f(2, 3, 2, 2), f(4, 3, 5, 3), None, padding=1),
        ValueError,
        "expected a window no larger than the padded image (4, 4), found (5, 3)",
    ),
    # conv2d_relu_maxpool2d
    "conv2d_relu_maxpool2d: window": (
        lambda: ops.conv2d_relu_maxpool2d(X, W, None, window=4),
        ValueError,
        "expected a window no larger than the padded image (4, 3), found (4, 4)",
    ),
    # pooling
    "maxpool2d: x": (
        lambda: ops.maxpool2d(f(4, 4)),
        ValueError,
        "x: expected a shape (N, C, H, W) without zeros, found (4, 4)",
    ),
    "maxpool2d: dtype": (
        lambda: ops.maxpool2d(X.astype(np.float16)),
        TypeError,
        "x: expected dtype float32 or float64, found float16",
    ),
    "maxpool2d: window": (
        lambda: ops.maxpool2d(X, window=6),
        ValueError,
        "expected a window no larger than the padded image (6, 5), found (6, 6)",
    ),
    "maxpool2d: window 0": (
        lambda: ops.maxpool2d(X, window=0),
        ValueError,
        "window: expected at least 1, found 0",
    ),
    "maxpool2d: stride": (lambda: ops.maxpool2d(X, stride=0), ValueError, "stride: expected at least 1, found 0"),
    "avgpool2d: x": (
        lambda: ops.avgpool2d(f(4, 4)),
        ValueError,
        "x: expected a shape (N, C, H, W) without zeros, found (4, 4)",
    ),
    "avgpool2d: window": (
        lambda: ops.avgpool2d(X, window="2"),
        TypeError,
        "window: expected an integer, found str",
    ),
    "avgpool2d: stride": (lambda: ops.avgpool2d(X, stride=-2), ValueError, "stride: expected at least 1, found -2"),
    "global_avgpool2d: x": (
        lambda: ops.global_avgpool2d(f(2, 3)),
        ValueError,
        "x: expected a shape (N, C, H, W) without zeros, found (2, 3)",
    ),
    # linear
    "linear: x": (
        lambda: ops.linear(X, f(4, 3), f(4)),
        ValueError,
        "x: expected a shape (N, I) without zeros, found (2, 3, 6, 5)",
    ),
    "linear: features": (
        lambda: ops.linear(f(2, 3), f(3, 4), f(3)),
        ValueError,
        "x: expected shape (2, 4) for a w of shape (3, 4), found (2, 3)",
    ),
    "linear: x float64, the rest float32": (
        lambda: ops.linear(f(2, 3), f(4, 3, dtype=np.float32), f(4, dtype=np.float32)),
        TypeError,
        "x: expected float32, the dtype of w, found float64",
    ),
    "linear: b": (
        lambda: ops.linear(f(2, 3), f(4, 3), f(1, 4)),
        ValueError,
        "b: expected shape (4,) for a w of shape (4, 3), found (1, 4)",
    ),
    "linear: no b": (lambda: ops.linear(f(2, 3), f(4, 3), None), TypeError, "b: expected an array, found NoneType"),
    # element-wise
    "relu: int": (lambda: ops.relu(np.arange(3)), TypeError, "x: expected dtype float32 or float64, found int64"),
    "sigmoid: a number": (lambda: ops.sigmoid(0.5), TypeError, "x: expected an array, found float"),
    "dropout: keep": (
        lambda: ops.dropout(f(3), f(3), rate=0.5),
        TypeError,
        "keep: expected an array of bool, found float64",
    ),
    "dropout: a list": (
        lambda: ops.dropout(f(3), [True] * 3, rate=0.5),
        TypeError,
        "keep: expected an array of bool, found list",
    ),
    "dropout: shape": (
        lambda: ops.dropout(f(3), f(4, dtype=bool), rate=0.5),
        ValueError,
        "keep: expected shape (3,) like x, found (4,)",
    ),
    "dropout: rate": (
        lambda: ops.dropout(f(3), f(3, dtype=bool), rate=1.0),
        ValueError,
        "rate: expected 0 <= rate < 1, found 1.0",
    ),
    # batchnorm2d
    "batchnorm2d: x": (
        lambda: batchnorm(f(2, 3)),
        ValueError,
        "x: expected a shape (N, C, H, W) without zeros, found (2, 3)",
    ),
    **{
        f"batchnorm2d: {name}": (
            lambda name=name: batchnorm(**{name: f(4)}),
            ValueError,
            f"{name}: expected shape (3,) for an x of shape (2, 3, 4, 5), found (4,)",
        )
        for name in ("beta", "mean", "var")
    },
    "batchnorm2d: channels": (
        lambda: batchnorm(f(2, 4, 4, 5)),
        ValueError,
        "x: expected shape (2, 3, 4, 5) for a gamma of shape (3,), found (2, 4, 4, 5)",
    ),
    "batchnorm2d: gamma flat": (
        lambda: batchnorm(gamma=f(1, 3)),
        ValueError,
        "gamma: expected shape (3,) for an x of shape (2, 3, 4, 5), found (1, 3)",
    ),
    "batchnorm2d: x float64, the rest float32": (
        lambda: ops.batchnorm2d(f(2, 3, 4, 5), *[f(3, dtype=np.float32)] * 4, batch_statistics=True),
        TypeError,
        "x: expected float32, the dtype of gamma, found float64",
    ),
    "batchnorm2d: dtype": (
        lambda: batchnorm(mean=f(3, dtype=np.float32)),
        TypeError,
        "mean: expected float64, the dtype of gamma, found float32",
    ),
    "batchnorm2d: eps": (lambda: batchnorm(eps=0), ValueError, "eps: expected a positive number, found 0"),
    "moments: x": (
        lambda: ops.moments(f(2, 3)),
        ValueError,
        "x: expected a shape (N, C, H, W) without zeros, found (2, 3)",
    ),
    # attention
    "attention_pool2d: x": (
        lambda: ops.attention_pool2d(f(2, 3), f(2, 1, 4, 5)),
        ValueError,
        "x: expected a shape (N, C, H, W) without zeros, found (2, 3)",
    ),
    "attention_pool2d: s": (
        lambda: ops.attention_pool2d(f(2, 3, 4, 5), f(2, 4, 5)),
        ValueError,
        "s: expected shape (2, 1, 4, 5) for an x of shape (2, 3, 4, 5), found (2, 4, 5)",
    ),
    "attention_pool2d: s float32": (
        lambda: ops.attention_pool2d(f(2, 3, 4, 5), f(2, 1, 4, 5, dtype=np.float32)),
        TypeError,
        "s: expected float64, the dtype of x, found float32",
    ),
    "gate2d: x": (
        lambda: ops.gate2d(f(2, 3), f(2, 3)),
        ValueError,
        "x: expected a shape (N, C, H, W) without zeros, found (2, 3)",
    ),
    "gate2d: a": (
        lambda: ops.gate2d(f(2, 3, 4, 5), f(2, 3, 1, 1)),
        ValueError,
        "a: expected shape (2, 3) or (2, 1, 4, 5) for an x of shape (2, 3, 4, 5), found (2, 3, 1, 1)",
    ),
    "channel_mean_max: x": (
        lambda: ops.channel_mean_max(f(3, 4, 5)),
        ValueError,
        "x: expected a shape (N, C, H, W) without zeros, found (3, 4, 5)",
    ),
    "gelu: int": (lambda: ops.gelu(np.arange(3)), TypeError, "x: expected dtype float32 or float64, found int64"),
    "layernorm: x": (
        lambda: ops.layernorm(f(2, 4), f(4), f(4)),
        ValueError,
        "x: expected a shape (N, T, D) without zeros, found (2, 4)",
    ),
    "layernorm: features": (
        lambda: ops.layernorm(f(2, 3, 4), f(5), f(5)),
        ValueError,
        "x: expected shape (2, 3, 5) for a gamma of shape (5,), found (2, 3, 4)",
    ),
    "layernorm: beta": (
        lambda: ops.layernorm(f(2, 3, 4), f(4), f(3)),
        ValueError,
        "beta: expected shape (4,) for an x of shape (2, 3, 4), found (3,)",
    ),
    "layernorm: x float64, the rest float32": (
        lambda: ops.layernorm(f(2, 3, 4), f(4, dtype=np.float32), f(4, dtype=np.float32)),
        TypeError,
        "x: expected float32, the dtype of gamma, found float64",
    ),
    "layernorm: eps": (
        lambda: ops.layernorm(f(2, 3, 4), f(4), f(4), eps=0),
        ValueError,
        "eps: expected a positive number, found 0",
    ),
    "multihead_attention: q": (
        lambda: ops.multihead_attention(f(3, 4), f(3, 4), f(3, 4), heads=2),
        ValueError,
        "q: expected a shape (N, T, D) without zeros, found (3, 4)",
    ),
    "multihead_attention: k": (
        lambda: ops.multihead_attention(f(2, 3, 4), f(2, 5, 4), f(2, 3, 4), heads=2),
        ValueError,
        "k: expected shape (2, 3, 4) like q, found (2, 5, 4)",
    ),
    "multihead_attention: heads": (
        lambda: ops.multihead_attention(f(2, 3, 4), f(2, 3, 4), f(2, 3, 4), heads=3),
        ValueError,
        "heads: expected a divisor of the 4 features, found 3",
    ),
    "multihead_attention: heads 0": (
        lambda: ops.multihead_attention(f(2, 3, 4), f(2, 3, 4), f(2, 3, 4), heads=0),
        ValueError,
        "heads: expected at least 1, found 0",
    ),
    # regions
    "region_vote: m": (
        lambda: ops.region_vote(f(2, 3)),
        ValueError,
        "m: expected a shape (N, K+1, H, W) without zeros, found (2, 3)",
    ),
    "region_vote: background alone": (
        lambda: ops.region_vote(f(2, 1, 3, 3)),
        ValueError,
        "m: expected a channel of background and one or more classes, found (2, 1, 3, 3)",
    ),
    "region_vote: least": (
        lambda: ops.region_vote(f(2, 4, 3, 3), least=0),
        ValueError,
        "least: expected a positive number, found 0",
    ),
    "region_cross_entropy: targets": (
        lambda: ops.region_cross_entropy(f(2, 4, 3, 5), np.zeros((2, 5, 3), int), f(2, 3, 5)),
        ValueError,
        "targets: expected shape (2, 3, 5) for an m of shape (2, 4, 3, 5), found (2, 5, 3)",
    ),
    "region_cross_entropy: target 4": (
        lambda: ops.region_cross_entropy(f(2, 4, 3, 5), np.full((2, 3, 5), 4), f(2, 3, 5)),
        ValueError,
        "targets: expected integers from 0 to 3, found others",
    ),
    "region_cross_entropy: weights": (
        lambda: ops.region_cross_entropy(f(2, 4, 3, 5), np.zeros((2, 3, 5), int), f(2, 3, 5) - 9),
        ValueError,
        "weights: expected numbers of at least 0, found others",
    ),
    # losses
    "softmax_cross_entropy: logits": (
        lambda: ops.softmax_cross_entropy(f(3), LABELS),
        ValueError,
        "logits: expected a shape (N, K) without zeros, found (3,)",
    ),
    "softmax_cross_entropy: labels float": (
        lambda: ops.softmax_cross_entropy(f(2, 3), f(2)),
        TypeError,
        "labels: expected an array of integers, found float64",
    ),
    "softmax_cross_entropy: labels one-hot": (
        lambda: ops.softmax_cross_entropy(f(2, 3), np.eye(3, dtype=int)[:2]),
        ValueError,
        "labels: expected shape (2,) for logits of shape (2, 3), found (2, 3)",
    ),
    "softmax_cross_entropy: a list": (
        lambda: ops.softmax_cross_entropy(f(2, 3), [0, 1]),
        TypeError,
        "labels: expected an array of integers, found list",
    ),
    "softmax_cross_entropy: label 3": (
        lambda: ops.softmax_cross_entropy(f(2, 3), np.array([1, 3])),
        ValueError,
        "labels: expected 0 to 2, found 1 to 3",
    ),
    "softmax_cross_entropy: label -1": (
        lambda: ops.softmax_cross_entropy(f(2, 3), np.array([-1, 0])),
        ValueError,
        "labels: expected 0 to 2, found -1 to 0",
    ),
    "softmax_cross_entropy: smoothing": (
        lambda: ops.softmax_cross_entropy(f(2, 3), LABELS, label_smoothing=1),
        ValueError,
        "label_smoothing: expected 0 <= value < 1, found 1",
    ),
    "mean_squared_error: shape": (
        lambda: ops.mean_squared_error(f(2, 3), f(3)),
        ValueError,
        "target: expected shape (2, 3) like the prediction's, found (3,)",
    ),
    "mean_squared_error: empty": (
        lambda: ops.mean_squared_error(f(0, 3), f(0, 3)),
        ValueError,
        "prediction: expected at least one element, found shape (0, 3)",
    ),
    "mean_squared_error: dtype": (
        lambda: ops.mean_squared_error(f(2), f(2, dtype=np.float32)),
        TypeError,
        "target: expected float64, the dtype of prediction, found float32",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_message_names_operation_argument_expected_and_found(case):
    call, error, message = REFUSED[case]
    with pytest.raises(error) as raised:
        call()
    operation = case.partition(":")[0]
    assert str(raised.value) == f"{operation}: {message}"


@pytest.mark.parametrize("operation", [ops.conv2d_relu, ops.conv2d_relu_maxpool2d])
def test_fused_operations_refuse_what_conv2d_refuses(operation):
    with pytest.raises(ValueError, match=r"^conv2d: x: expected shape"):
        operation(X, f(4, 2, 3, 3), None)


def test_every_operation_has_a_refused_case():
    assert {case.partition(":")[0] for case in REFUSED} == set(ops.operations()) - {"conv2d_relu"}  # tested with conv2d
