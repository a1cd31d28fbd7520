"""Shuffled batches."""

import numpy as np
import pytest

from tinydnn.data.batches import epoch_batches
from tinydnn.errors import InputError

INDICES = np.arange(100, 2551)


def test_the_papers_training_set_makes_19_batches():
    batches = epoch_batches(INDICES, 128, seed=0, epoch=0)
    assert [len(batch) for batch in batches] == [128] * 19


def test_an_epoch_has_each_index_at_most_once_and_no_other():
    used = np.concatenate(epoch_batches(INDICES, 128, seed=0, epoch=0))
    assert len(np.unique(used)) == len(used)
    assert np.isin(used, INDICES).all()


def test_every_epoch_and_every_seed_has_its_own_order():
    orders = [epoch_batches(INDICES, 128, seed=s, epoch=e)[0].tolist() for s, e in [(0, 0), (0, 1), (1, 0)]]
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_seed_and_epoch_determine_the_order():
    first, again = (epoch_batches(INDICES, 128, seed=7, epoch=3) for _ in range(2))
    assert np.array_equal(first, again)


@pytest.mark.parametrize("batch_size", [0, -1, 2452])
def test_a_batch_that_cannot_be_filled_is_refused(batch_size):
    with pytest.raises(InputError, match=f"batch size: expected 1 to 2451, .* found {batch_size}"):
        epoch_batches(INDICES, batch_size, seed=0, epoch=0)
