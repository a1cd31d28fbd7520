"""Preparation: from slices as stored to one HDF5 file of uniform images."""
