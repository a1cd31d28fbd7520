"""Convolution: each output pixel is a weighted sum over a window of the input."""

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation
from tinydnn.ops.windows import output_size, pad, taps, unpad


def _check(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> None:
    checks.floats("conv2d", w=w, x=x, **({} if b is None else {"b": b}))
    checks.layout("conv2d", "x", x, "N C H W")
    checks.layout("conv2d", "w", w, "O C kh kw")
    checks.shape("conv2d", "x", x, (len(x), w.shape[1], *x.shape[2:]), f"for a w of shape {w.shape}")
    if b is not None:
        checks.shape("conv2d", "b", b, (len(w),), f"for a w of shape {w.shape}")
    checks.integer("conv2d", "stride", stride, least=1)
    checks.integer("conv2d", "padding", padding, least=0)
    checks.window_fits("conv2d", w.shape[2:], (x.shape[2] + 2 * padding, x.shape[3] + 2 * padding))


@operation(check=_check)
def conv2d(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """Slide each kernel over the image and sum the products.

        z[n,o,i,j] = Σ_{c,u,v} w[o,c,u,v] · x[n,c,i·s+u,j·s+v] + b[o]

    where x is zero-padded and s is the stride. As is usual in deep learning, this is cross-correlation: the kernel is
    not flipped. Given dz = ∂L/∂z,

        dw[o,c,u,v]          = Σ_{n,i,j} dz[n,o,i,j] · x[n,c,i·s+u,j·s+v]
        db[o]                = Σ_{n,i,j} dz[n,o,i,j]
        dx[n,c,i·s+u,j·s+v] += Σ_o       dz[n,o,i,j] · w[o,c,u,v]      for every i, j, u, v

    x: (N, C, H, W). w: (O, C, kh, kw). b: (O,), or None for no bias. z: (N, O, H', W') with
    H' = (H + 2·padding − kh) // s + 1, and W' likewise. `backward(dz, need_dx=True)` returns (dx, dw, db); dx is
    None with `need_dx=False`, db is None without a bias.

    Source: Hou and Zhang, convolution layer; Goodfellow et al., Deep Learning, section 9.1.
    """
    xp = array_module(x)
    window = w.shape[2:]
    x_padded = pad(x, padding)
    height, width = (output_size(x_padded.shape[2 + axis], window[axis], stride) for axis in (0, 1))
    z = xp.zeros((len(x), len(w), height, width), x.dtype)
    for u, v, x_uv in taps(x_padded, window, stride):  # x_uv[n,c,i,j] = x[n,c,i·s+u,j·s+v]
        z += xp.einsum("ncij,oc->noij", x_uv, w[:, :, u, v], optimize=True)
    if b is not None:
        z += b[:, None, None]

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        dw = xp.empty_like(w)
        for u, v, x_uv in taps(x_padded, window, stride):
            dw[:, :, u, v] = xp.einsum("noij,ncij->oc", dz, x_uv, optimize=True)
        db = None if b is None else dz.sum(axis=(0, 2, 3))
        if not need_dx:
            return None, dw, db
        dx_padded = xp.zeros_like(x_padded)
        for u, v, dx_uv in taps(dx_padded, window, stride):
            dx_uv += xp.einsum("noij,oc->ncij", dz, w[:, :, u, v], optimize=True)
        return unpad(dx_padded, padding), dw, db

    return z, backward
