#!/usr/bin/env bash
# Run the GPU tests and all GPU benchmarks, and leave the results in one folder:
#
#     benchmarks/gpu_report.sh [FOLDER]        (by default gpu-report)
#
# It needs a driver for CUDA 13, CuPy, PyTorch and this package, and no network. Each part has its own time limit, so that
# everything ends within 8 minutes. A part that fails or runs out of time is listed at the end; the others still run.
set -uo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-gpu-report}")
mkdir -p "$out"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" MPLBACKEND=Agg
failed=()

part() {  # NAME LIMIT COMMAND...
    local name=$1 limit=$2 begin=$SECONDS
    shift 2
    printf '\n== %s (%ss so far)\n' "$name" "$SECONDS"
    timeout --kill-after=5 "$limit" "$@" 2>&1 | tee "$out/$name.txt"
    local status=${PIPESTATUS[0]}
    [ "$status" -eq 0 ] || failed+=("$name (exit status $status)")
    printf '   %s took %ss\n' "$name" "$((SECONDS - begin))"
}

python -c 'from tinydnn.backend import check_device; check_device("cuda")' 2>"$out/gpu.txt" || {
    tail -n 1 "$out/gpu.txt"
    exit 2
}
nvidia-smi > "$out/nvidia-smi.txt" 2>&1

part tests 140 python -m pytest -q -m gpu -p no:cacheprovider tests/kernels/cuda tests/training/test_gpu_step.py

race=(python benchmarks/train_step.py --device cuda --rounds 3 --seconds 0.4)
eager="torch eager nchw tf32,torch eager channels-last tf32,torch eager nchw fp32,torch eager channels-last fp32"
all="tinydnn tf32 graph,tinydnn fp32 graph,tinydnn tf32,tinydnn fp32,$eager,torch compile tf32,torch compile fp32"
best="tinydnn tf32 graph,tinydnn fp32 graph,torch eager channels-last tf32,torch compile tf32"
tuned="tinydnn tf32 graph,tinydnn fp32 graph,torch compile max-autotune tf32,torch compile max-autotune fp32"
part train-step-128 110 "${race[@]}" --batch 128 --only "$all" --json "$out/train-step-128.json"
part train-step-32-512 85 "${race[@]}" --batch 32,512 --only "$best" --json "$out/train-step-32-512.json"

part time-to-accuracy 60 python benchmarks/time_to_accuracy.py --json "$out/time-to-accuracy.json"

typical=(conv2d:32x16x128x128,32x16x3x3 conv2d_relu_maxpool2d:32x16x128x128,32x16x3x3
    conv2d_relu_maxpool2d:32x1x256x256,16x1x3x3 conv2d_relu_maxpool2d:32x64x32x32,128x64x3x3
    maxpool2d:32x32x128x128 batchnorm2d:32x32x128x128 softmax_cross_entropy:128x3 linear:128x32768,128x32768)
for case in "${typical[@]}"; do
    [ "$SECONDS" -lt 390 ] || { failed+=("bench $case (no time left)"); continue; }
    name="bench-${case%%:*}-${case#*:}"
    name=${name//,/-}
    part "$name" 35 python -m tinydnn bench "${case%%:*}" --shape "${case#*:}" --device cuda --json "$out/$name.json"
done

# Last, because tuning may take all of the remaining time.
part train-step-128-tuned $((475 - SECONDS)) "${race[@]}" --batch 128 --only "$tuned" \
    --json "$out/train-step-128-tuned.json"

printf '\nEverything took %ss; the results are in %s\n' "$SECONDS" "$out"
if [ "${#failed[@]}" -gt 0 ]; then
    printf 'Failed: %s\n' "${failed[@]}"
    exit 1
fi
