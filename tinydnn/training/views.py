"""What a model makes of pictures, where one look at each may not be enough."""

from tinydnn.backend import Array, array_module
from tinydnn.layers import Sequential

VIEWS = {1: "as it is", 2: "and mirrored", 10: "each moved four ways too"}
SHIFT = 32  # the pictures of ten views are moved by a 32nd of their side


def logits(model: Sequential, x: Array, views: int = 1) -> Array:
    """The mean logits of a few views of each picture: (N, K).

        z = 1/V · Σ_v model(view_v(x))

    One view is the picture as it is; two, also mirrored left to right; ten, both also moved up, down, left and right,
    with the last rows or columns repeated. x: (N, C, H, W), normalised.

    Source: Krizhevsky, Sutskever and Hinton, ImageNet Classification, section 4.1, who average ten crops.
    """
    if views not in VIEWS:
        raise ValueError(f"views: expected one of {', '.join(map(str, VIEWS))}, found {views}")
    if views == 1:
        return model.predict(x)
    step = max(x.shape[-1] // SHIFT, 1)
    ways = [(0, 0), (step, 0), (-step, 0), (0, step), (0, -step)] if views == 10 else [(0, 0)]
    answers = [model.predict(_moved(one, *way)) for one in (x, x[..., ::-1]) for way in ways]
    z = answers[0]
    for answer in answers[1:]:
        z = z + answer
    return z * z.dtype.type(1 / views)


def _moved(x: Array, down: int, right: int) -> Array:
    """The pictures moved by whole pixels; the outermost row or column fills what becomes free."""
    xp = array_module(x)
    rows = xp.clip(xp.arange(x.shape[2]) - down, 0, x.shape[2] - 1)
    columns = xp.clip(xp.arange(x.shape[3]) - right, 0, x.shape[3] - 1)
    return xp.ascontiguousarray(x[:, :, rows][..., columns])
