#!/usr/bin/env bash
# Run the GPU tests and all GPU benchmarks within 9 minutes, and leave the results in one archive:
#
#     benchmarks/gpu_report.sh [ARCHIVE]        (by default gpu-report.tar.gz)
#
# It needs a driver for CUDA 13, CuPy, NumPy, h5py, PyTorch and pytest; no network, and no installation of this package.
set -euo pipefail
root=$(realpath "$(dirname "$0")/..")
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 MPLBACKEND=Agg
export TINYDNN_CACHE=${TINYDNN_CACHE:-${TMPDIR:-/tmp}/tinydnn-gpu-report-cache}
exec python3 "$root/benchmarks/gpu_report.py" "$@"
