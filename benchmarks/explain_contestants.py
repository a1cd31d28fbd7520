"""The contestants of explain_speed.py: `python benchmarks/explain_contestants.py NAME BATCH SIZE THREADS START.npz`.

Each explains images with the baseline network, from the same weights. A contestant reads requests such as {"method":
"saliency", "images": 4, "save": "F.npy"}, a line of JSON each, and answers each with its seconds, or null for a method
that it does not have.
"""

import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from contestants_cuda import NOT_WEIGHTS
from networks import load_torch_weights, tinydnn_cnn, torch_cnn

CONTESTANTS = ("tinydnn", "captum nchw", "captum channels-last")
SAMPLES, STEPS, MASKS = 50, 32, 1000
GROUP = 32  # changed copies at a time: what `tinydnn.explain` runs, and what Captum is asked to run
TRAINING = "32 training steps"  # forward and backward pass
PATHS, MAPS = "integrated gradients of a batch", "grad-cam of a test set"

Work = dict[str, Callable[[np.ndarray, np.ndarray], Any]]


def tinydnn_work(size: int, threads: int, start: Any) -> Work:
    """The methods of `tinydnn.explain`, with the defaults of their options."""
    from tinydnn import explain, ops
    from tinydnn.cli.start import raise_core_type
    from tinydnn.kernels.cpu.threads import set_thread_count
    from tinydnn.layers import Sequential

    raise_core_type()  # as the command line does
    set_thread_count(threads)
    model = Sequential(*tinydnn_cnn(size).layers, input_shape=(1, size, size))
    model.load_state({name: start[name] for name in model.state()})

    def training(x: np.ndarray, y: np.ndarray) -> None:
        for _ in range(STEPS):
            logits, backward = model(x, training=True)
            _, loss_backward = ops.softmax_cross_entropy(logits, y)
            backward(loss_backward(), need_dx=False)

    methods = {method.name: method.attribute for method in explain.methods_for(model)}
    work: Work = {name: lambda x, y, method=method: method(model, x, y) for name, method in methods.items()}
    paths, maps = work["integrated-gradients"], explain.METHODS["grad-cam"].maps
    return {**work, TRAINING: training, PATHS: paths, MAPS: lambda x, y: maps(model, x, y)}


def captum_work(name: str, size: int, threads: int, start: Any) -> Work:
    """The methods of Captum, with the same options."""
    import torch
    from captum import attr

    warnings.filterwarnings("ignore", message="Setting backward hooks on ReLU activations")
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    layout = torch.contiguous_format if name == "captum nchw" else torch.channels_last
    model = torch_cnn(size)
    load_torch_weights(model, (start[key] for key in start.files if key not in NOT_WEIGHTS))
    for module in model:
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False  # Captum's hooks need it
    model = model.to(memory_format=layout).eval()
    last_relu = model[10]
    patch = size // 8

    def explained(method: Any, **options: Any) -> Callable[[np.ndarray, np.ndarray], Any]:
        def run(x: np.ndarray, y: np.ndarray) -> np.ndarray:
            inputs = torch.tensor(x).contiguous(memory_format=layout).requires_grad_()
            many = {key: max(1, GROUP // len(x)) for key, value in options.items() if value is None}
            return method.attribute(inputs, target=torch.tensor(y), **{**options, **many}).detach().numpy()

        return run

    def grad_cam(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        small = explained(attr.LayerGradCam(model, last_relu), relu_attributions=True)(x, y)
        return attr.LayerAttribution.interpolate(torch.tensor(small), (size, size), "bilinear")[:, 0].numpy()

    noise = {"nt_type": "smoothgrad", "nt_samples": SAMPLES, "nt_samples_batch_size": None, "stdevs": 0.5}
    windows = {"sliding_window_shapes": (1, patch, patch), "strides": (1, patch // 2, patch // 2)}
    return {
        "saliency": explained(attr.Saliency(model), abs=False),
        "gradient-x-input": explained(attr.InputXGradient(model)),
        "guided-backprop": explained(attr.GuidedBackprop(model)),
        "smooth-grad": explained(attr.NoiseTunnel(attr.Saliency(model)), abs=False, **noise),
        "integrated-gradients": explained(attr.IntegratedGradients(model), n_steps=STEPS, internal_batch_size=GROUP),
        "grad-cam": grad_cam,
        "occlusion": explained(attr.Occlusion(model), perturbations_per_eval=None, **windows),
    }


def main() -> None:
    """Build the contestant of the arguments, and answer the requests on standard input."""
    name, size, threads, path = sys.argv[1], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    with np.load(path) as start:
        work = tinydnn_work(size, threads, start) if name == "tinydnn" else captum_work(name, size, threads, start)
        x, y = start["x"], start["y"]
    for line in sys.stdin:
        request = json.loads(line)
        seconds = None
        if method := work.get(request["method"]):
            indices = np.arange(request["images"]) % len(x)
            images, classes = x[indices], y[indices]
            begin = perf_counter()
            result = method(images, classes)
            seconds = perf_counter() - begin
            if save := request.get("save"):
                np.save(save, result)
        print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
