"""Slices with their labels and patients: read, made, split, normalised, batched."""
