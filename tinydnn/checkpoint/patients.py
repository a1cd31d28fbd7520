"""Training patients as hashes in the model file, so that an evaluation can report an overlap with its slices."""

from collections.abc import Iterable
from hashlib import sha256

import numpy as np

PREFIX = "tinydnn training patient: "  # part of the file format, like the number of digits
DIGITS = 16


def hash_patient(patient: str) -> str:
    """The first 16 hex digits of SHA-256(PREFIX + patient id).

    The file contains no ids, but the prefix is public, so anyone with a list of candidate ids can test each of them.
    """
    return sha256(f"{PREFIX}{patient}".encode()).hexdigest()[:DIGITS]


def hash_patients(patients: Iterable[str]) -> frozenset[str] | None:
    """The hashes of all patients, or None if any id is unknown (""): the record would be incomplete."""
    ids = set(patients)
    return None if "" in ids else frozenset(map(hash_patient, ids))


def training_overlap(hashes: frozenset[str] | None, patients: np.ndarray) -> dict[str, int] | None:
    """The number of slices whose patient was trained on, and of these patients.

    patients: (N,) str, the patient of each slice. None if the training patients or any of `patients` are unknown.
    """
    if hashes is None or "" in patients:
        return None
    shared = [patient for patient in patients.tolist() if hash_patient(patient) in hashes]
    return {"patients": len(set(shared)), "slices": len(shared)}
