"""Numbers with their nouns."""

from tinydnn.words import count


def test_a_noun_is_plural_unless_there_is_one():
    assert [count(number, "epoch") for number in (0, 1, 2)] == ["0 epochs", "1 epoch", "2 epochs"]
