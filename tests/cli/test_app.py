"""The program as a whole: how it ends when it is interrupted."""


def interrupted(*arguments, **options):
    raise KeyboardInterrupt


def test_ctrl_c_ends_a_command_with_a_word_and_no_traceback(command, monkeypatch):
    monkeypatch.setattr("tinydnn.gradcheck.survey.survey", interrupted)
    found = command("gradcheck")
    assert (found.status, found.err) == (130, "tinydnn: interrupted\n")


def test_ctrl_c_before_a_run_has_begun_says_what_to_repeat(command, monkeypatch, tmp_path):
    monkeypatch.setattr("tinydnn.data.prepare.cache.prepared", interrupted)
    found = command("train", tmp_path, "--out", tmp_path / "run")
    assert (found.status, found.out, found.err) == (130, "Stopped. Go on with: the same command\n", "")
