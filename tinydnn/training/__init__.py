"""Training: the loop and its one step, the loss, evaluation and fine-tuning.

`trainer` is the loop, `step` what it does to one batch; everything else is imported by these two.
"""
