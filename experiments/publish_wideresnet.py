"""Turn the finished training of the QCFS WideResNets into the course's files: weights with cards, and the history.

    python -m experiments.publish_wideresnet           after experiments.train_wideresnet has come to its end

Only here are the test images looked at.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from safetensors.torch import load_file

from experiments.provenance import RESULTS, Clock, files, provenance, write
from experiments.train_wideresnet import FOLDER, HELD_OUT, Settings, Stage, accuracy, build
from snnkit.datasets import cifar10, find
from snnkit.models.trained import ModelCard, load, save

ASSETS = Path(__file__).resolve().parents[1] / "snnkit" / "assets"
OUTPUT = RESULTS / "wide_resnet_training.json"
PUBLISHED = ("qcfs8", "qcfs4")


def name_of(stage: Stage, settings: Settings) -> str:
    """Such as ``wrn16_2_qcfs8``."""
    return f"wrn{settings.depth}_{settings.width}_{stage.name}"


def describe(stage: Stage, settings: Settings, right: float, images: int, validation: float) -> ModelCard:
    """The card of one network."""
    epochs = sum(s.epochs for s in settings.stages[: settings.stages.index(stage) + 1])
    return ModelCard(
        name=name_of(stage, settings),
        title=f"WideResNet-{settings.depth}-{settings.width} with QCFS activations, L = {stage.levels}",
        depth=settings.depth,
        width=settings.width,
        levels=stage.levels,
        accuracy=right,
        images=images,
        validation=validation,
        validation_images=HELD_OUT,
        data=f"CIFAR-10: {settings.images:,} training images, the last {HELD_OUT:,} held out for validation, and the "
        f"first {images:,} test images for the accuracy; nothing was chosen by them",
        training=f"{epochs} epochs of SGD in all, from a ReLU network on reduced images; windows shifted by up to "
        f"4 pixels and mirrored; label smoothing {settings.smoothing:g}; seed {settings.seed}; "
        "python -m experiments.train_wideresnet",
        use="Teaching and experiments on the conversion of networks: with threshold = clip and v(0) = clip/2 each "
        "activation becomes a layer of integrate-and-fire neurons.",
        limits="Knows ten classes of 32 x 32 photographs and gives one of them for whatever it is shown; not for "
        "decisions about people. Trained once, with one seed.",
        licence="as the code of this package; the images belong to their authors and are not in it",
    )


def publish(
    settings: Settings,
    folder: Path,
    assets: Path,
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> list[ModelCard]:
    """Write the networks with their cards; the accuracy is that of the half-precision weights.

    Raises:
        FileNotFoundError: if the training has not come to its end.
    """
    history = history_of(folder)
    assets.mkdir(parents=True, exist_ok=True)
    cards = []
    for stage in settings.stages:
        if stage.name not in PUBLISHED:
            continue
        model = build(settings, stage.levels)
        model.load_state_dict(load_file(folder / f"{stage.name}.safetensors"))
        right = accuracy(model, pixels, torch.as_tensor(labels))
        last = max((e for e in history if e["stage"] == stage.name), key=lambda e: int(e["epoch"]))
        card = describe(stage, settings, right, len(pixels), last["validation"])
        path = assets / f"{card.name}.safetensors"
        save(path, model, card)
        path.chmod(0o644)
        assert accuracy(load(path), pixels, torch.as_tensor(labels)) == right
        cards.append(card)
    return cards


def history_of(folder: Path) -> list[dict[str, Any]]:
    """Loss and validation after every epoch.

    Raises:
        FileNotFoundError: if the training has not come to its end.
    """
    path = folder / "checkpoint.pt"
    if not path.is_file() or not (folder / f"{PUBLISHED[-1]}.safetensors").is_file():
        raise FileNotFoundError(
            f"{folder} holds no finished training; run python -m experiments.train_wideresnet"
        )
    found: list[dict[str, Any]] = json.loads(torch.load(path, weights_only=True)["history"])
    return found


def main(
    folder: Annotated[Path, typer.Option(help="Where the training left its files.")] = FOLDER,
) -> None:
    """Write snnkit/assets and experiments/results/wide_resnet_training.json."""
    torch.set_num_threads(1)
    data = cifar10(part="test")
    pixels = (np.asarray(data.images) * 255).round().astype(np.uint8)
    settings = Settings()
    history = history_of(folder)
    for card in publish(settings, folder, ASSETS, pixels, np.asarray(data.labels)):
        typer.echo(f"{card.name}: {100 * card.accuracy:.1f} % of {card.images:,} test images")
    place = find("cifar10")
    used = files("cifar10", place, "train_*.npz")
    decided = {key: value for key, value in asdict(settings).items() if key != "seed"}
    record = provenance(seed=settings.seed, data=used, clock=Clock(history[-1]["seconds"]), **decided)
    write(OUTPUT, history, {**record, "command": "python -m experiments.train_wideresnet"})


if __name__ == "__main__":
    typer.run(main)
