"""Nearest neighbours in feature space: the slices that a network takes for most alike."""

import numpy as np

from tinydnn.errors import InputError
from tinydnn.layers import GlobalAvgPool2d, Sequential
from tinydnn.layers.layer import Layer

METRICS = ("cosine", "euclidean")
BATCH = 256  # rows


def before_classifier(model: Sequential) -> Sequential:
    """The layers before the last one with weights, which classifies: their output is the features of an image.

    Feature maps are averaged over their positions, so the features of an image are (D,). Raises `InputError` if the
    model has no layer with weights.
    """
    learned = [index for index, layer in enumerate(model.layers) if layer.parameters()]
    if not learned:
        raise InputError("model: expected a layer with weights, found none")
    prefix, classifier = model.split_at(learned[-1])
    pooled = _takes_maps(classifier.layers[0])
    layers, names = (*prefix.layers, GlobalAvgPool2d()), (*prefix.names, "mean")
    return Sequential(*layers, names=names, input_shape=model.input_shape) if pooled else prefix


def nearest(
    features: np.ndarray, query: np.ndarray, *, count: int = 5, metric: str = "cosine"
) -> tuple[np.ndarray, np.ndarray]:
    """The indices of the `count` rows of `features` nearest to `query`, and their distances, the nearest first.

        cosine:     d(a, b) = 1 − (a · b) / (‖a‖ · ‖b‖)        from 0 to 2; 1 if one of them is 0
        euclidean:  d(a, b) = ‖a − b‖

    features: (N, D), in memory or in an open HDF5 file, read in batches. query: (D,). Of equal distances, the first row
    comes first. Raises `InputError` for another metric or number.

    Source: Caruana et al., Case-based explanation of non-case-based learning methods (1999): the training cases nearest
    in the space of the hidden units.
    """
    if metric not in METRICS:
        raise InputError(f"metric: expected {' or '.join(METRICS)}, found {metric!r}")
    if not 1 <= count <= len(features):
        raise InputError(f"neighbours: expected 1 to {len(features)}, the number of slices, found {count}")
    starts = range(0, len(features), BATCH)
    distances = np.concatenate([_distances(features[start : start + BATCH], query, metric) for start in starts])
    order = np.argsort(distances, kind="stable")[:count]
    return order, distances[order]


def _distances(rows: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    a, b = np.asarray(rows, np.float64), np.asarray(query, np.float64)
    if metric == "euclidean":
        return np.linalg.norm(a - b, axis=1)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b)
    cosine = np.divide(a @ b, norms, out=np.zeros(len(a)), where=norms > 0)
    return np.clip(1 - cosine, 0, 2)


def _takes_maps(layer: Layer) -> bool:
    """Whether the layer takes feature maps (N, C, H, W): a convolution does, a linear layer does not."""
    return any(parameter.value.ndim == 4 for parameter in layer.parameters().values())
