"""Numbers with their nouns, for messages and labels."""


def count(number: int, noun: str) -> str:
    """A number and its noun: 1 epoch, 2 epochs."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
