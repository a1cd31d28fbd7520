"""Arguments and options that several commands have, each with its help."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[str, typer.Argument(help="Folder of .mat files, zips, image folder or prepared file.")]
DataOrPhantoms = Annotated[
    str | None,
    typer.Argument(help="Folder of .mat files, zips, image folder or prepared file; phantoms where not given."),
]
Size = Annotated[int, typer.Option(help="Pixels along each side that slices are brought to.")]
Crop = Annotated[str, typer.Option(help="none, head, ring or tumour; the last two use the mask.")]
Margin = Annotated[float, typer.Option(help="Kept round the tumour, in its own size.")]
SkipBroken = Annotated[bool, typer.Option(help="Leave out files that cannot be read, and list them.")]
Seed = Annotated[int, typer.Option(help="Decides split or folds, new weights, shuffling, augmentation and dropout.")]

Epochs = Annotated[int, typer.Option(help="How often every training slice is shown.")]
BatchSize = Annotated[int, typer.Option(help="Slices in an iteration.")]
Optimizer = Annotated[str, typer.Option(help="sgd or adam.")]
Momentum = Annotated[float, typer.Option(help="Momentum of sgd.")]
WeightDecay = Annotated[float, typer.Option(help="L2 penalty on the weights.")]
LabelSmoothing = Annotated[float, typer.Option(help="Share of each target that goes to all classes.")]
Balance = Annotated[bool, typer.Option("--balance", help="Train for classes of equal frequency.")]

Augment = Annotated[
    str, typer.Option(help="none, light, strong, changes such as rotate=15,flip, or both: light,cutout=0.3.")
]
Rotate = Annotated[float | None, typer.Option(help="Augment: turn by at most so many degrees.")]
Shift = Annotated[float | None, typer.Option(help="Augment: move by at most that share of the side.")]
Zoom = Annotated[float | None, typer.Option(help="Augment: 0.1 enlarges or shrinks by up to 10 %.")]
Flip = Annotated[bool | None, typer.Option(help="Augment: mirror every second slice.")]
Brightness = Annotated[float | None, typer.Option(help="Augment: 0.2 brightens or darkens by up to 20 %.")]
Contrast = Annotated[float | None, typer.Option(help="Augment: 0.2 spreads grey levels by up to 20 %.")]
Saturation = Annotated[float | None, typer.Option(help="Augment: the same for colours.")]
Cutout = Annotated[float | None, typer.Option(help="Augment: blacken a square of that share of the side.")]
Views = Annotated[int, typer.Option(help="Of a test slice, averaged: 1, 2 (mirrored) or 10 (and moved).")]

Split = Annotated[str, typer.Option(help="slice (the paper's) or patient (none on both sides).")]
TestFraction = Annotated[float, typer.Option(help="Share of the slices that is held out.")]
Validation = Annotated[
    float, typer.Option(help="Share of the training part that chooses the best epoch; 0 chooses nothing.")
]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]
Precision = Annotated[str, typer.Option(help="fp32, or tf32: faster on a GPU, products to 3 digits.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the run; runs/MODEL-N where not given.")]
Resume = Annotated[bool, typer.Option(help="Go on with the run in --out.")]
