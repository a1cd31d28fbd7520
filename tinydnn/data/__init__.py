"""Datasets: read files, prepare, split, normalise, augment and batch them; and generate phantoms."""
