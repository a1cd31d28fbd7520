"""`tinydnn augment`: draw augmented training images."""

from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli import choices
from tinydnn.cli.app import app
from tinydnn.cli.display import say
from tinydnn.cli.progress import progress_bar

ROWS, COLUMNS = 4, 6
AMOUNTS = {
    "rotate": "rotated by up to {:g}°",
    "shift": "shifted by up to {:.3g} % of the side",
    "zoom": "zoomed by up to {:.3g} %",
    "flip": "flipped with a probability of {:.3g} %",
    "brightness": "brightness changed by up to {:.3g} %",
    "contrast": "contrast changed by up to {:.3g} %",
    "cutout": "a square of {:.3g} % of the side blackened",
}


@app.command(examples=("tinydnn augment figshare --show grid.png --augment strong",))
def augment(
    data: choices.Data,
    show: Annotated[Path, typer.Option(help="Picture to write: .png, .svg or .pdf.")],
    augment: choices.Augment = "light",
    size: choices.Size = 256,
    crop: choices.Crop = "none",
    margin: choices.Margin = 0.2,
    seed: Annotated[int, typer.Option(help="Seed of the choice of slices and of the augmentation.")] = 0,
) -> None:
    """Draw four slices of DATA: the original and its augmentation in five epochs, with the outline of the tumour."""
    import numpy as np

    from tinydnn import plots
    from tinydnn.data.augment import Draws, parse_augmentation
    from tinydnn.data.crop import Crop
    from tinydnn.data.dataset import Dataset
    from tinydnn.data.prepare.cache import prepared

    plots.check_suffix(show, "--show")
    augmentation, cropping = parse_augmentation(augment), Crop(crop, margin)
    with progress_bar("Preparing slices") as progress:
        dataset = Dataset.open(prepared(data, size=size, crop=cropping, progress=progress))
    chosen = np.sort(np.random.default_rng(seed).permutation(len(dataset))[:ROWS])
    x = dataset.read(chosen)
    masks = None if dataset.masks is None else dataset.read_masks(chosen)
    columns = [(x, masks)]
    columns += [augmentation(x, Draws(seed, epoch, chosen, len(dataset)), masks) for epoch in range(COLUMNS - 1)]
    source = f"{dataset.source}, {size} × {size} pixels" + ("" if crop == "none" else f", crop {cropping}")
    amounts = [
        AMOUNTS[name].format(value if name == "rotate" else 50 if name == "flip" else 100 * value)
        for name, value in augmentation.amounts().items()
    ]
    figure = plots.augmentation(
        images=np.stack([images[:, 0] for images, _ in columns], axis=1),
        masks=None if masks is None else np.stack([moved for _, moved in columns if moved is not None], axis=1),
        names=[dataset.class_names[label] for label in dataset.labels[chosen]],
        title=f"{source}; {', '.join(amounts) or 'no change'}",
    )
    plots.save(figure, show)
    say(f"{show}: {len(chosen)} slices, the original and in {COLUMNS - 1} epochs")
