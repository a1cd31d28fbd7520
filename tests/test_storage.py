"""Atomic writes: a file appears complete or not at all."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tinydnn.storage import atomic_write


def test_the_file_appears_when_the_block_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    with atomic_write(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_an_old_file_stays_readable_until_the_new_one_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [None, "old"])
def test_a_failure_leaves_the_folder_unchanged(tmp_path: Path, before: str | None, fault: type[BaseException]) -> None:
    path = tmp_path / "model.h5"
    if before is not None:
        path.write_text(before)

    def write_half() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise fault

    with pytest.raises(fault):
        write_half()
    assert [file.read_text() for file in tmp_path.iterdir()] == ([] if before is None else [before])


def test_a_writer_without_output_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_write(path) as temporary:
        temporary.unlink()
    assert path.read_text() == "old"


def test_the_temporary_file_has_the_same_folder_and_suffix(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "plot.png") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"


def test_missing_folders_are_created(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "first" / "metrics.json"
    with atomic_write(path) as temporary:
        temporary.write_text("{}")
    assert path.read_text() == "{}"


def test_a_relative_path_may_be_a_string(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with atomic_write("history.csv") as temporary:
        temporary.write_text("loss")
    assert (tmp_path / "history.csv").read_text() == "loss"


def test_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.mkdir()
    with pytest.raises(OSError), atomic_write(path) as temporary:
        temporary.write_text("model")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX")
def test_the_file_has_the_permissions_of_an_ordinary_new_file(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "whole") as temporary:
        temporary.write_text("whole")
    (tmp_path / "ordinary").write_text("ordinary")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("whole", "ordinary")}
    assert len(modes) == 1


def test_a_process_killed_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.h5"
    path.write_text("old")
    program = (
        "import sys, time\n"
        "from tinydnn.storage import atomic_write\n"
        "with atomic_write(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"writing"
        process.kill()
    assert path.read_text() == "old"


@pytest.mark.parametrize("kind", [OSError, RuntimeError, ValueError])
def test_an_hdf5_error_on_a_full_disk_becomes_an_os_error(tmp_path: Path, kind: type[Exception]) -> None:
    text = "Can't write data (file write failed:\n, file descriptor = 3, errno = 28, error message = 'No space left')"
    with (
        pytest.raises(OSError, match="No space left on device") as error,
        atomic_write(tmp_path / "model.h5"),
    ):
        raise kind(text)
    assert (error.value.errno, error.value.filename) == (28, str(tmp_path / "model.h5"))
    assert list(tmp_path.iterdir()) == []


def test_an_os_error_without_a_path_gets_the_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left on device") as error, atomic_write(tmp_path / "model.h5"):
        raise OSError(28, "No space left on device")
    assert error.value.filename == str(tmp_path / "model.h5")
