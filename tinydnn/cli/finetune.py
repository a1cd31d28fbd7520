"""`tinydnn finetune`: adapt a network that others have trained to brain-tumour slices."""

from typing import Annotated

import typer

from tinydnn.cli import choices
from tinydnn.cli.app import app
from tinydnn.cli.threads import Threads
from tinydnn.cli.train import carry_out


@app.command()
def finetune(
    context: typer.Context,
    data: choices.DataOrPhantoms = None,
    recipe: Annotated[
        str | None, typer.Option(help="A .toml file of these options; what is given beside it goes before.")
    ] = None,
    model: Annotated[str, typer.Option("--from", help="vgg16, alexnet or squeezenet1_1.")] = "vgg16",
    weights: Annotated[
        str | None, typer.Option(help="File of its weights, or random; what was downloaded where not given.")
    ] = None,
    head: Annotated[str, typer.Option(help="linear, mlp or gap (mean of each channel).")] = "linear",
    freeze_to: Annotated[str, typer.Option(help="Last layer that is frozen; features: all; none.")] = "features",
    unfreeze: Annotated[
        str, typer.Option(help="EPOCH:LAYER,…: from that epoch on, layers from this one on learn too.")
    ] = "",
    epochs: choices.Epochs = 15,
    batch_size: choices.BatchSize = 32,
    optimizer: choices.Optimizer = "sgd",
    lr: Annotated[float, typer.Option(help="Learning rate of the network's own layers.")] = 0.001,
    head_lr: Annotated[float, typer.Option(help="Learning rate of the head.")] = 0.001,
    momentum: choices.Momentum = 0.9,
    weight_decay: choices.WeightDecay = 0.0,
    schedule: Annotated[
        str, typer.Option(help="constant, step, cosine or one-cycle, from the start of each phase to its end.")
    ] = "one-cycle",
    label_smoothing: choices.LabelSmoothing = 0.0,
    balance: choices.Balance = False,
    augment: choices.Augment = "none",
    rotate: choices.Rotate = None,
    shift: choices.Shift = None,
    zoom: choices.Zoom = None,
    flip: choices.Flip = None,
    brightness: choices.Brightness = None,
    contrast: choices.Contrast = None,
    cutout: choices.Cutout = None,
    views: choices.Views = 1,
    size: choices.Size = 128,
    crop: choices.Crop = "none",
    margin: choices.Margin = 0.2,
    split: choices.Split = "slice",
    test_fraction: choices.TestFraction = 0.2,
    validation: choices.Validation = 0.0,
    seed: choices.Seed = 0,
    skip_broken: choices.SkipBroken = False,
    device: choices.Device = "cpu",
    precision: choices.Precision = "fp32",
    threads: Threads = None,
    out: choices.Out = None,
    resume: choices.Resume = False,
) -> None:
    """Train a new head on a network that others have trained on ImageNet, then its last layers too.

    While slices are augmented, what the frozen layers make of them is computed anew in every iteration, else once.
    """
    from tinydnn.runs import FinetuneOptions, FinetuneRun

    carry_out(context, FinetuneOptions, FinetuneRun, out, resume)
