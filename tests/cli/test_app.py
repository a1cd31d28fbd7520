"""The program as a whole: how it ends on Ctrl-C."""


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
