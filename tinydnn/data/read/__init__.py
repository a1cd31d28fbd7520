"""Readers: from published files, zips and image folders to slices."""
