"""The survey and its command cover every operation, layer and model."""

import numpy as np
import pytest
from typer.testing import CliRunner

import tinydnn.cli.gradcheck  # noqa: F401 - registers the command
from tinydnn import layers, models, ops
from tinydnn.bench.costs import bench_case
from tinydnn.cli.app import app
from tinydnn.errors import InputError
from tinydnn.gradcheck import Verdict
from tinydnn.gradcheck.cases import CASES
from tinydnn.gradcheck.survey import subjects, survey


def test_the_survey_covers_every_operation_layer_and_model():
    known = subjects()
    assert set(ops.operations()) <= set(known)
    own = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}
    assert own - {"Layer", "Parameter", "Buffer", "Sequential"} <= set(known)
    assert {model.__name__ for model in models.MODELS.values()} <= set(known)


def test_the_survey_has_a_row_for_each_implementation_and_dtype():
    rows = list(survey(["maxpool2d"]))
    found = {(row.implementation, row.dtype) for row in rows}
    assert found == {(name, dtype) for name in ops.maxpool2d.names() for dtype in ("float64", "float32")}
    assert all(row.verdict == "ok" for row in rows)


def test_the_survey_refuses_an_unknown_name():
    with pytest.raises(InputError, match=r"expected one of .*attention_pool2d.*found 'conv3d'"):
        list(survey(["conv3d"]))


def test_an_operation_without_cases_is_refused_and_not_passed(monkeypatch):
    monkeypatch.setattr("tinydnn.gradcheck.survey.CASES", [case for case in CASES if case.operation != "relu"])
    with pytest.raises(InputError, match=r"relu: expected cases in tinydnn\.gradcheck\.cases, found none"):
        list(survey(["relu"]))
    monkeypatch.setattr("tinydnn.bench.costs.CASES", [case for case in CASES if case.operation != "relu"])
    with pytest.raises(InputError, match="relu: expected cases"):
        bench_case("relu")


@pytest.fixture
def clean_relu():
    """Removes the implementations of relu that a test registers."""
    before = set(ops.relu.implementations)
    yield
    for name in set(ops.relu.implementations) - before:
        ops.relu.unregister(name)


@pytest.mark.usefixtures("clean_relu")
def test_the_survey_continues_after_an_exception():
    @ops.relu.implementation("broken")
    def relu(x):
        raise RuntimeError("out of order")

    rows = {(row.implementation, row.dtype): row for row in survey(["relu"])}
    assert rows["reference", "float64"].verdict == Verdict.OK
    assert rows["broken", "float64"].verdict == Verdict.RAISES
    assert "RuntimeError: out of order" in rows["broken", "float64"].failed[0].worst.reason


def test_the_command_prints_a_table_and_succeeds():
    result = CliRunner().invoke(app, ["gradcheck", "maxpool2d", "Linear"])
    assert result.exit_code == 0
    rows = [line.split() for line in result.output.splitlines()]
    for name in ops.maxpool2d.names():
        assert any(row[:3] == ["maxpool2d", name, "float64"] and row[-1] == "ok" for row in rows)
    assert any(row[:2] == ["Linear", "threads"] for row in rows)


@pytest.mark.usefixtures("clean_relu")
def test_the_command_fails_and_names_a_wrong_gradient():
    @ops.relu.implementation("wrong")
    def relu(x):
        return np.maximum(x, 0), lambda dz: -dz * (x > 0)

    result = CliRunner().invoke(app, ["gradcheck", "relu"])
    assert result.exit_code == 1
    assert "relu: images (wrong, float64)\n  x: wrong sign" in result.output


def test_the_command_refuses_an_unknown_operation():
    assert isinstance(CliRunner().invoke(app, ["gradcheck", "conv3d"]).exception, InputError)
