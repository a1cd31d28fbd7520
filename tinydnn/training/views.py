"""Test-time views: the logits of an image, averaged over transformed copies of it."""

from tinydnn.backend import Array, array_module
from tinydnn.layers import Sequential

VIEWS = (1, 2, 10)  # the image; with its mirror image; both also shifted four ways
SHIFT = 32  # the shift is a 32nd of the image's side


def mean_logits(model: Sequential, x: Array, views: int = 1) -> Array:
    """The mean logits over the views of each image, (N, K).

        z = 1/V · Σ_v model(view_v(x))

    One view is the image itself; two add its mirror image, left to right; ten shift both up, down, left and right as
    well, repeating the last rows or columns. x: (N, C, H, W), normalised.

    Source: Krizhevsky, Sutskever and Hinton, ImageNet Classification, section 4.1, who average ten crops.
    """
    if views not in VIEWS:
        raise ValueError(f"views: expected one of {', '.join(map(str, VIEWS))}, found {views}")
    if views == 1:
        return model.predict(x)
    step = max(x.shape[-1] // SHIFT, 1)
    shifts = [(0, 0), (step, 0), (-step, 0), (0, step), (0, -step)] if views == 10 else [(0, 0)]
    logits = [model.predict(_shifted(image, *shift)) for image in (x, x[..., ::-1]) for shift in shifts]
    z = logits[0]
    for other in logits[1:]:
        z = z + other
    return z * z.dtype.type(1 / views)


def _shifted(x: Array, down: int, right: int) -> Array:
    """The images shifted by whole pixels; the outermost row or column fills the gap."""
    xp = array_module(x)
    rows = xp.clip(xp.arange(x.shape[2]) - down, 0, x.shape[2] - 1)
    columns = xp.clip(xp.arange(x.shape[3]) - right, 0, x.shape[3] - 1)
    return xp.ascontiguousarray(x[:, :, rows][..., columns])
