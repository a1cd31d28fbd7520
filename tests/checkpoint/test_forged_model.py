"""Forged model files, whose digest matches: all contents are validated, and nothing in a file is executed."""

import json
import os

import h5py
import numpy as np
import pytest


def set_kind(kind):
    return lambda file: file["layers/02-relu"].attrs.__setitem__("kind", kind)


def set_arguments(layer, **arguments):
    return lambda file: file[f"layers/{layer}"].attrs.__setitem__("arguments", json.dumps(arguments))


def set_attribute(name, value):
    return lambda file: file.attrs.__setitem__(name, value)


def replace_array(name, array):
    def change(file):
        del file[name]
        file[name] = array

    return change


def link_outside(file):
    del file["layers/00-conv2d/weight"]
    file["layers/00-conv2d/weight"] = h5py.ExternalLink("other.h5", "/weight")


def declare_huge_array(file):
    del file["layers/00-conv2d/weight"]
    file.create_dataset("layers/00-conv2d/weight", (10**7, 10**7), np.float32, chunks=(1000, 1000))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_kind("os.system"), "found 'os.system'"),
        (set_kind("Layer"), "expected a layer of tinydnn, found 'Layer'"),
        (set_kind("__import__"), "found '__import__'"),
        (set_arguments("02-relu", command="touch /tmp/x"), "takes no arguments"),
        (set_arguments("03-maxpool2d", window=2, stride=None, __class__="os"), "__class__"),
        (set_arguments("03-maxpool2d", window="2", stride=None), "window: expected an integer"),
        (set_arguments("03-maxpool2d", window=0, stride=None), "window: expected at least 1"),
        (set_arguments("03-maxpool2d", window=99, stride=None), "no larger than"),
        (set_arguments("01-batchnorm2d", channels=16, momentum=0.1, eps=0), "eps: expected a positive number"),
        (set_arguments("01-batchnorm2d", channels=17), "expected shape (17,)"),
        (set_arguments("01-batchnorm2d", channels=10**15), "Unable to allocate"),
        (set_arguments("00-conv2d", in_channels=1, out_channels=16, kernel_size=3, rng=1), "rng"),
        (set_arguments("00-conv2d", in_channels=1), "missing"),
        (lambda file: file["layers/00-conv2d"].attrs.__setitem__("arguments", "[1]"), "must be a mapping"),
        (lambda file: file["layers/00-conv2d"].attrs.__setitem__("arguments", "exit()"), "Expecting value"),
        (lambda file: file["layers/00-conv2d"].attrs.__delitem__("kind"), "kind"),
        (lambda file: file.__delitem__("layers"), "layers"),
        (lambda file: file.__delitem__("layers/00-conv2d"), "expected shape"),
        (lambda file: file.move("layers/00-conv2d", "layers/first"), "invalid literal"),
        (lambda file: file.__delitem__("layers/00-conv2d/weight"), "missing ['weight']"),
        (replace_array("layers/00-conv2d/weight", np.zeros((16, 1, 5, 5), np.float32)), "expected shape (16, 1, 3, 3)"),
        (replace_array("layers/00-conv2d/weight", np.array(["a"] * 3, "S1")), "expected shape (16, 1, 3, 3)"),
        (replace_array("layers/00-conv2d", np.zeros(3)), "kind"),
        (replace_array("layers", np.zeros(3)), ""),
        (set_attribute("input_shape", [1, 16]), "input_shape: expected (C, H, W)"),
        (set_attribute("input_shape", [1, 10**6, 10**6]), "input_shape: expected (C, H, W) of 1 to 4096"),
        (set_attribute("input_shape", [2, 16, 16]), "x: expected shape (1, 1, 16, 16)"),
        (set_attribute("class_names", '["a", "b"]'), "expected a logit for each of 2 classes"),
        (set_attribute("class_names", '"abc"'), "class_names: expected a list of strings"),
        (set_attribute("normalisation", '{"kind": "standard", "shift": 0, "scale": 0}'), "a scale above 0"),
        (set_attribute("normalisation", '{"kind": "standard", "shift": NaN, "scale": 1}'), "a finite shift"),
        (set_attribute("normalisation", '{"kind": "standard", "shift": "1", "scale": 1}'), ""),
        (set_attribute("normalisation", "{}"), "missing"),
    ],
)
def test_invalid_contents_under_a_valid_digest_are_refused(path, change, words, resealed, refused):
    resealed(path, change)
    refused(path, words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (link_outside, "layers/00-conv2d/weight: expected an array or a group, found a link to elsewhere"),
        (declare_huge_array, "expected an array stored in the file, found shape (10000000, 10000000)"),
    ],
)
def test_arrays_that_are_not_in_the_file_are_refused(path, change, words, resealed, refused):
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ValueError, match="found"):  # no digest can be computed either
        resealed(path, lambda file: None)
    refused(path, words)


def test_a_name_in_a_file_is_never_called(path, monkeypatch, resealed, refused):
    called = []
    monkeypatch.setattr(os, "system", called.append)
    resealed(path, set_kind("os.system"))
    resealed(path, set_arguments("02-relu", command="echo hello"))
    refused(path, "found 'os.system'")
    assert called == []
