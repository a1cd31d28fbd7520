"""Softmax, cross-entropy and its gradient on a GPU, in one launch."""

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cuda.layout import empty_like, in_one_piece
from tinydnn.kernels.cuda.source import Source, ctype, int32, of_types
from tinydnn.ops.operation import Arguments, Backward

KERNELS = Source(
    "softmax_cross_entropy.cu", *of_types("softmax_cross_entropy", ("float", "double"), ("int", "long long"))
)


def _covered(call: Arguments) -> bool:
    return str(call.labels.dtype) in ("int32", "int64")


@ops.softmax_cross_entropy.implementation("cuda", device="cuda", priority=10, supports=_covered)
def softmax_cross_entropy(logits: Array, labels: Array, *, label_smoothing: float = 0.0) -> tuple[Array, Backward]:
    """A warp for each row makes loss and gradient together; backward has no more to do than to scale it.

    Faster than the reference for the number of launches: one in place of about ten, on a few hundred numbers.
    """
    rows, classes = logits.shape
    loss, gradient = empty_like(logits, ()), empty_like(logits, logits.shape)
    kernel = f"softmax_cross_entropy<{ctype(logits.dtype)}, {ctype(labels.dtype)}>"
    given = in_one_piece(logits), in_one_piece(labels), loss, gradient
    KERNELS.launch(kernel, (1,), 256, *given, *int32(rows, classes), logits.dtype.type(label_smoothing))

    def backward(dloss: float = 1.0) -> Array:
        return gradient * float(dloss)

    return loss, backward
