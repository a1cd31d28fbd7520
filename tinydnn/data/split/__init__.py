"""Partitions: training and test parts, by slice or by patient, and cross-validation folds."""
