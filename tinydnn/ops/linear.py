"""The fully connected layer: each output is a weighted sum of all inputs."""

from tinydnn.backend import Array
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(x: Array, w: Array, b: Array) -> None:
    checks.floats("linear", w=w, x=x, b=b)
    checks.layout("linear", "x", x, "N I")
    checks.layout("linear", "w", w, "O I")
    checks.shape("linear", "x", x, (len(x), w.shape[1]), f"for a w of shape {w.shape}")
    checks.shape("linear", "b", b, (len(w),), f"for a w of shape {w.shape}")


@operation(check=_check)
def linear(x: Array, w: Array, b: Array) -> tuple[Array, Backward]:
    """Multiply by a matrix and add a bias.

        z[n,o]  = Σ_i w[o,i] · x[n,i] + b[o]
        dw[o,i] = Σ_n dz[n,o] · x[n,i]
        db[o]   = Σ_n dz[n,o]
        dx[n,i] = Σ_o dz[n,o] · w[o,i]

    x: (N, I). w: (O, I). b: (O,). z: (N, O). `backward(dz, need_dx=True)` returns (dx, dw, db); dx is None
    with `need_dx=False`.

    Source: Hou and Zhang, fully connected layer; Goodfellow et al., Deep Learning, section 6.5.
    """
    z = x @ w.T + b

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array]:
        return dz @ w if need_dx else None, dz.T @ x, dz.sum(axis=0)

    return z, backward
