"""Training: the loop and its one step, the loss, evaluation and fine-tuning.

`trainer` is the loop and `step` one step of it; the other modules support these two.
"""
