"""Training: one step, the loop around it, the loss, evaluation and fine-tuning."""
