"""Compiled loops over images, bands, tiles and blocks of pixels."""
