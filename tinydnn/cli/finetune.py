"""`tinydnn finetune`: adapt a network that others have trained to brain-tumour slices."""

from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli.app import app
from tinydnn.cli.threads import Threads
from tinydnn.cli.train import carry_out


@app.command()
def finetune(
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Argument(help="Folder of .mat files, zips, image folder or prepared file; phantoms where not given."),
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
    epochs: Annotated[int, typer.Option(help="How often every training slice is shown.")] = 15,
    batch_size: Annotated[int, typer.Option(help="Slices in an iteration.")] = 32,
    optimizer: Annotated[str, typer.Option(help="sgd or adam.")] = "sgd",
    lr: Annotated[float, typer.Option(help="Learning rate of the network's own layers.")] = 0.001,
    head_lr: Annotated[float, typer.Option(help="Learning rate of the head.")] = 0.001,
    momentum: Annotated[float, typer.Option(help="Momentum of sgd.")] = 0.9,
    weight_decay: Annotated[float, typer.Option(help="L2 penalty on the weights.")] = 0.0,
    schedule: Annotated[
        str, typer.Option(help="constant, step, cosine or one-cycle, from the start of each phase to its end.")
    ] = "one-cycle",
    size: Annotated[int, typer.Option(help="Pixels along each side that slices are brought to.")] = 128,
    split: Annotated[str, typer.Option(help="slice (the paper's) or patient (none on both sides).")] = "slice",
    test_fraction: Annotated[float, typer.Option(help="Share of the slices that is held out.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Decides split, head, shuffling and dropout.")] = 0,
    skip_broken: Annotated[bool, typer.Option(help="Leave out files that cannot be read, and list them.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    threads: Threads = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the run; runs/NETWORK-N where not given.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the run in --out.")] = False,
) -> None:
    """Train a new head on a network that others have trained on ImageNet, then its last layers too."""
    from tinydnn.runs import FinetuneOptions, FinetuneRun

    carry_out(context, FinetuneOptions, FinetuneRun, out, resume)
