"""The features before the classifier, in two dimensions."""

import numpy as np

from tinydnn.backend import Array, to_device
from tinydnn.explain import before_classifier
from tinydnn.runs.html_report import svg
from tinydnn.runs.html_report.gallery import Images
from tinydnn.runs.html_report.page import percent
from tinydnn.runs.html_report.results import Results
from tinydnn.runs.html_report.section import Section
from tinydnn.training.evaluation import in_batches


def embedding(results: Results, images: Images) -> Section:
    """The two principal components of the features, a point for each test slice."""
    indices, before = results.predictions.indices, before_classifier(images.saved.model)
    features = np.concatenate([to_device(before.predict(images.read(batch)), "cpu") for batch in in_batches(indices)])
    points, shares = principal_components(features)
    with svg.panel(width=4.8, height=4.0) as (figure, axes):
        for k, name in enumerate(results.class_names):
            x, y = points[results.labels == k].T
            axes.scatter(
                x, y, s=16, color=svg.class_colour(k), marker=svg.class_marker(k), alpha=0.75, linewidths=0,
                label=svg.short(name),
            )  # fmt: skip
        x, y = points[~results.correct].T
        label = "classified wrongly"
        axes.scatter(x, y, s=42, facecolors="none", edgecolors=svg.INK, linewidths=0.9, label=label)
        axes.set(xlabel=f"First component, {percent(shares[0])}", ylabel=f"Second component, {percent(shares[1])}")
        axes.set(xticks=[], yticks=[])
        axes.legend(loc="best", fontsize=8)
        label = f"{len(points)} test slices by the two principal components of their features, coloured by class"
        plot = svg.inline(figure, "embedding", label)
    return Section(
        "embedding",
        "Features before the classifier",
        {
            "plot": plot,
            "share": float(shares.sum()),
            "features": features.shape[1],
            "wrong": int((~results.correct).sum()),
        },
    )


def principal_components(features: Array) -> tuple[Array, Array]:
    """The coordinates of the points along the two directions of the largest variance (N, 2), and its shares (2,).

        X = features − mean = U·Σ·Vᵀ,    coordinates = U·Σ,    shares[i] = Σ[i]² / Σ_j Σ[j]²

    U and Σ² are the eigenvectors and eigenvalues of X·Xᵀ (N, N), which is small. The sign of a component is free; here
    the coordinate furthest from 0 is positive. features: (N, F). Source: Jolliffe, Principal Component Analysis (2002).
    """
    from scipy.linalg import eigh

    x = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    points, variances = np.zeros((len(x), 2)), np.zeros(2)
    found = min(2, len(x))
    values, vectors = eigh(x @ x.T, subset_by_index=[len(x) - found, len(x) - 1])  # in ascending order
    variances[:found] = np.maximum(values[::-1], 0)
    points[:, :found] = vectors[:, ::-1] * np.sqrt(variances[:found])
    furthest = points[abs(points).argmax(axis=0), [0, 1]]
    shares = variances / max(float((x**2).sum()), np.finfo(float).tiny)
    return points * np.where(furthest < 0, -1, 1), shares
