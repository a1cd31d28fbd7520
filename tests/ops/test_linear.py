"""The operation of the fully connected layer."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinydnn import ops
from tinydnn.gradcheck import gradcheck

sizes = st.integers(1, 6)


@given(n=sizes, i=sizes, o=sizes, seed=st.integers(0, 999), layout=st.sampled_from(["C order", "negative strides"]))
def test_value_and_gradients_are_those_of_pytorch(torch, agrees_with_torch, arrays, n, i, o, seed, layout):
    arguments = arrays(seed, layout, (n, i), (o, i), (o,))
    gradcheck(ops.linear, *arguments).raise_if_failed()
    agrees_with_torch(ops.linear, torch.nn.functional.linear, *arguments)


def test_a_worked_example():
    x, w, b = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]), np.array([0.0, 1.0, 2.0])
    z, backward = ops.linear(x, w, b)
    assert z.tolist() == [[11, 18, 25]]
    dx, dw, db = backward(np.array([[1.0, 0.0, 2.0]]))
    assert dx.tolist() == [[17, 20]]
    assert dw.tolist() == [[1, 2], [0, 0], [2, 4]]
    assert db.tolist() == [1, 0, 2]
