"""The datasets: read files, prepare them once, split, normalise, augment and batch them; and draw phantoms."""
