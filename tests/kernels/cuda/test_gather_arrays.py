"""The arrays of a flat buffer are copied to their places, several in a launch."""

import numpy as np

from tinydnn.kernels.cuda import update
from tinydnn.kernels.cuda.source import Source
from tinydnn.optim.flat import Flat


def test_arrays_are_copied_to_their_places_and_one_left_out_keeps_its_values(device, monkeypatch):
    launched, launch = [], Source.launch

    def log(source, kernel, *arguments, **options):
        launched.append(kernel)
        launch(source, kernel, *arguments, **options)

    monkeypatch.setattr(Source, "launch", log)
    rng = np.random.default_rng(0)
    shapes = [(k % 5 + 1, 3 * k + 1) for k in range(update.KERNELS.constant("ARRAYS") + 3)] + [(300, 301)]
    arrays = {str(k): rng.standard_normal(shape).astype(np.float32) for k, shape in enumerate(shapes)}
    flat = Flat({name: device.put(array) for name, array in arrays.items()})
    assert launched == ["gather_arrays"] * 2
    flat.fill({name: device.put(-array.T.copy().T) for name, array in arrays.items() if name != "7"})
    for name, view in flat.views.items():
        np.testing.assert_array_equal(device.get(view), arrays[name] if name == "7" else -arrays[name])
    filled = sum(np.count_nonzero(array) for array in arrays.values())
    assert np.count_nonzero(device.get(flat.buffer)) == filled  # the gaps stay zero
