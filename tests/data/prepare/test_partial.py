"""Interrupted preparation: killed, damaged or concurrent runs give the same file in the end."""

import os
import signal
import subprocess
import sys

import pytest

from tinydnn.data.prepare import prepare
from tinydnn.data.read import open_source
from tinydnn.errors import InputError

# Prepares argv[1] as argv[2]; waits to be killed after slice argv[3].
SCRIPT = """
import sys, time
from tinydnn.data.prepare import prepare
from tinydnn.data.read import open_source

def progress(done, total):
    if done == int(sys.argv[3]):
        print(done, flush=True)
        time.sleep(60)

with open_source(sys.argv[1]) as source:
    prepare(source, sys.argv[2], size=16, skip_broken=True, progress=progress)
"""


def test_a_second_process_cannot_disturb_the_first(mats, tmp_path, prepare_folder, contents):
    def start_another(done, total):
        if done == 3:
            command = [sys.executable, "-c", SCRIPT, mats, tmp_path / "a.h5", "0"]
            other = subprocess.run(command, capture_output=True, text=True, check=False)
            assert "another process is preparing this file" in other.stderr

    first = prepare_folder(mats, tmp_path / "a.h5", size=16, progress=start_another)
    assert contents(first) == contents(prepare_folder(mats, tmp_path / "b.h5", size=16))


@pytest.mark.parametrize("moment", [1, 17, 38, 50])
def test_a_killed_run_resumes_and_gives_the_same_file(published, tmp_path, moment, prepare_folder, contents):
    folder = published(tmp_path / "mats", range(1, 51))
    (folder / "9.mat").write_bytes(b"broken")
    out = tmp_path / "killed.h5"
    command = [sys.executable, "-c", SCRIPT, folder, out, str(moment)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == f"{moment}\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()

    read_again = []
    with open_source(folder) as source:
        decode = source.decode
        source.decode = lambda name, entry: (read_again.append(name), decode(name, entry))[1]
        prepare(source, out, size=16, skip_broken=True)
    # Slices are written in batches of 16; the broken one is read again.
    assert len(read_again) <= 50 - moment + 17
    whole = prepare_folder(folder, tmp_path / "whole.h5", size=16, skip_broken=True)
    assert contents(out) == contents(whole)
    assert sorted(path.name for path in tmp_path.glob("*.h5*")) == ["killed.h5", "whole.h5"]


# Prepares argv[1] as argv[2] with a file size limit of argv[3] bytes.
SMALL_DISK = """
import resource, sys
from tinydnn.data.prepare import prepare
from tinydnn.data.read import open_source

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
with open_source(sys.argv[1]) as source:
    prepare(source, sys.argv[2], size=64, progress=lambda *_: print("slice"))
"""


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")
@pytest.mark.parametrize("size", [5000, 30_000])
def test_a_full_disk_is_reported_before_any_work(mats, tmp_path, size):
    command = [sys.executable, "-c", SMALL_DISK, mats, tmp_path / "a.h5", str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    fault = f"InputError: {tmp_path / 'a.h5'}: cannot be written (File too large)"
    assert done.stderr.splitlines()[-1].endswith(fault)
    assert done.stdout == ""
    assert list(tmp_path.glob("*.h5*")) == []


def test_a_run_killed_while_finishing_starts_over(mats, tmp_path, prepare_folder, contents):
    out = tmp_path / "a.h5"
    (tmp_path / "a.h5.partial-finishing").write_bytes(b"half changed")
    prepare_folder(mats, out, size=8)
    assert contents(out) == contents(prepare_folder(mats, tmp_path / "b.h5", size=8))
    assert sorted(path.name for path in tmp_path.glob("*.h5*")) == ["a.h5", "b.h5"]


@pytest.mark.parametrize("change", ["content", "size", "damage"])
def test_a_partial_file_of_other_data_is_replaced(mats, published, tmp_path, change, prepare_folder, contents):
    out, partial = tmp_path / "a.h5", tmp_path / "a.h5.partial"
    (mats / "11.mat").rename(tmp_path / "11.mat")
    (mats / "11.mat").write_bytes(b"broken")
    with pytest.raises(InputError):
        prepare_folder(mats, out, size=8)
    assert partial.exists()
    (tmp_path / "11.mat").rename(mats / "11.mat")
    if change == "damage":
        partial.write_bytes(partial.read_bytes()[:2000])
    size = 16 if change == "size" else 8
    prepare_folder(mats, out, size=size)
    assert contents(out) == contents(prepare_folder(mats, tmp_path / "b.h5", size=size))
