"""Loops over images, bands and tiles, compiled by Numba."""
