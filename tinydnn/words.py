"""Words that messages, labels and reports share."""

NOT_MEDICAL = "Not a medical device: for study only, never for a diagnosis."
LEARNED_FROM_MASKS = "The network has learned from tumour masks where to look."


def count(number: int, noun: str) -> str:
    """A number and its noun: 1 epoch, 2 epochs."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
