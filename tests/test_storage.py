"""A file that is written appears whole or not at all."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tinydnn.storage import atomic_write


def test_the_file_appears_only_when_the_block_has_ended(tmp_path: Path) -> None:
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
def test_a_failure_leaves_what_was_there_and_nothing_beside_it(
    tmp_path: Path, before: str | None, fault: type[BaseException]
) -> None:
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


def test_a_writer_that_produced_no_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_write(path) as temporary:
        temporary.unlink()
    assert path.read_text() == "old"


def test_the_temporary_file_lies_in_the_same_folder_with_the_same_ending(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "picture.png") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"


def test_missing_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "first" / "metrics.json"
    with atomic_write(path) as temporary:
        temporary.write_text("{}")
    assert path.read_text() == "{}"


def test_a_relative_path_given_as_text_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with atomic_write("history.csv") as temporary:
        temporary.write_text("loss")
    assert (tmp_path / "history.csv").read_text() == "loss"


def test_a_folder_in_the_way_is_an_error_and_stays(tmp_path: Path) -> None:
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


def test_a_process_killed_while_it_writes_leaves_the_old_file(tmp_path: Path) -> None:
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
def test_what_hdf5_says_of_a_full_disk_is_an_error_of_the_system(tmp_path: Path, kind: type[Exception]) -> None:
    said = "Can't write data (file write failed:\n, file descriptor = 3, errno = 28, error message = 'No space left')"
    with (
        pytest.raises(OSError, match="No space left on device") as error,
        atomic_write(tmp_path / "model.h5"),
    ):
        raise kind(said)
    assert (error.value.errno, error.value.filename) == (28, str(tmp_path / "model.h5"))
    assert list(tmp_path.iterdir()) == []


def test_what_the_system_refuses_without_a_name_gets_the_name_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left on device") as error, atomic_write(tmp_path / "model.h5"):
        raise OSError(28, "No space left on device")
    assert error.value.filename == str(tmp_path / "model.h5")
