"""`tinydnn augment`: look at what the network will see."""

from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli import choices
from tinydnn.cli.app import app
from tinydnn.cli.display import progress_bar, say
from tinydnn.errors import InputError

ROWS, COLUMNS = 4, 6


@app.command()
def augment(
    data: choices.Data,
    show: Annotated[Path, typer.Option(help="The PNG file to draw.")],
    augment: choices.Augment = "light",
    size: choices.Size = 256,
    crop: choices.Crop = "none",
    margin: choices.Margin = 0.2,
    seed: Annotated[int, typer.Option(help="Decides which slices, and what is drawn for them.")] = 0,
) -> None:
    """Draw some slices of DATA as they are, and as five epochs would show them, with the outline of the tumour."""
    import numpy as np

    from tinydnn import plots
    from tinydnn.data.augment.augmentation import parse
    from tinydnn.data.augment.draws import Draws
    from tinydnn.data.dataset import Dataset
    from tinydnn.data.prepare.cache import prepared
    from tinydnn.data.prepare.crop import Crop

    if show.suffix.lower() != ".png":
        raise InputError(f"--show: expected a .png file, found {show}")
    change, part = parse(augment), Crop(crop, margin)
    with progress_bar("Preparing slices") as progress:
        dataset = Dataset.open(prepared(data, size=size, crop=part, progress=progress))
    chosen = np.sort(np.random.default_rng(seed).permutation(len(dataset))[:ROWS])
    x = dataset.read(chosen)
    masks = None if dataset.masks is None else np.stack([dataset.masks[int(index)] for index in chosen])
    columns = [(x, masks)]
    columns += [change(x, Draws(seed, epoch, chosen, len(dataset)), masks) for epoch in range(COLUMNS - 1)]
    title = f"{dataset.source}, {size} × {size} pixels" + ("" if crop == "none" else f", crop {part}")
    plots.augmentation(
        show,
        pictures=np.stack([pictures[:, 0] for pictures, _ in columns], axis=1),
        masks=np.stack([moved for _, moved in columns if moved is not None], axis=1) if masks is not None else None,
        names=[dataset.class_names[label] for label in dataset.labels[chosen]],
        title=f"{title}; {', '.join(f'{name} {value:g}' for name, value in change.amounts().items()) or 'no change'}",
    )
    say(f"{show}: {len(chosen)} slices, as they are and in {COLUMNS - 1} epochs")
