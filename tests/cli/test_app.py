"""The program as a whole: how it ends on Ctrl-C, its help, and what a shell completes."""

import os
import shlex
import subprocess
import sys

import pytest
from typer.main import get_command

from tinydnn.cli.app import app


def interrupted(*arguments, **options):
    raise KeyboardInterrupt


def test_ctrl_c_ends_a_command_without_a_traceback(command, monkeypatch):
    monkeypatch.setattr("tinydnn.gradcheck.survey.survey", interrupted)
    result = command("gradcheck")
    assert (result.status, result.err) == (130, "tinydnn: interrupted\n")


def test_ctrl_c_before_a_run_has_begun_says_what_to_repeat(command, monkeypatch, tmp_path):
    monkeypatch.setattr("tinydnn.data.prepare.cache.prepared", interrupted)
    result = command("train", tmp_path, "--out", tmp_path / "run")
    assert (result.status, result.out, result.err) == (130, "Stopped. Resume with: the same command\n", "")


@pytest.mark.parametrize("name", ["-h", "--help"])
def test_the_help_of_a_command_shows_examples_and_no_type_for_flags(command, name):
    result = command("train", name)
    assert result.status == 0
    assert "Examples:" in result.out
    assert "<bool>" not in result.out


def test_every_command_has_an_example_that_is_a_command():
    for name, command in get_command(app).commands.items():
        for subcommand in getattr(command, "commands", {name: command}).values():
            alone = subcommand is command or subcommand.name == command.default
            heading, *examples = (subcommand.epilog or "").splitlines()
            assert heading == "Examples:"
            assert examples
            for example in examples:
                program, *arguments = shlex.split(example)
                assert (program, arguments[0]) == ("tinydnn", name)
                words = arguments[1:] if alone else arguments[2:]
                subcommand.make_context(name, words).close()  # raises for an unknown option or a missing argument


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tinydnn tra", ["train"]),
        ("tinydnn train --optimizer ", ["sgd", "adam"]),
        ("tinydnn train --recipe ", ["best", "fast", "paper"]),
        ("tinydnn train --views ", ["1", "2", "10"]),
        ("tinydnn crossval data --by ", ["slice", "patient", "official"]),
        ("tinydnn bench soft", ["softmax_cross_entropy"]),
    ],
)
def test_the_shell_completes_commands_options_and_choices(line, words):
    position = len(line.split(" ")) - 1
    environment = {"_TINYDNN_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(position)}
    program = [sys.executable, "-c", "import sys; sys.argv[0] = 'tinydnn'; from tinydnn.cli import main; main()"]
    completed = subprocess.run(program, env=os.environ | environment, capture_output=True, text=True, check=True)
    assert completed.stdout.split() == words


def test_a_group_with_a_default_command_shows_its_help_and_the_other_commands(command):
    result = command("explain", "-h")
    assert result.status == 0
    assert "Usage: tinydnn explain [OPTIONS] {model} {images}..." in result.out
    for text in ("--method", "--class", "maps", "nearest", "tinydnn explain runs/real/model.h5 slice.mat"):
        assert text in result.out
    assert "COMMAND" not in result.out
    assert command("explain").out.strip() == result.out.strip()  # with exit status 2, as for every group


def test_the_default_command_takes_what_is_no_command(command, tmp_path):
    for arguments in (["model.h5", "a.png"], ["--json", "model.h5", "a.png"], ["mapz", "model.h5", "a.png"]):
        result = command("explain", *(tmp_path / word if "." in word else word for word in arguments))
        assert result.status == 2
        assert "expected a tinydnn model, found no such file" in result.err
    assert "expected a tinydnn model" in command("explain", "filters", tmp_path / "model.h5").err
