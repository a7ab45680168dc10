"""Train the course's QCFS WideResNets on CIFAR-10, in stages, on one core.

    python -m experiments.train_wideresnet            goes on where it was stopped
    python -m experiments.train_wideresnet --quick    a few images, to see that it runs

The stages hand their weights on: a ReLU network on images reduced to 24 x 24 pixels (cheap epochs), then QCFS with
L = 8 on the full images, whose clips begin at a high percentile of what each ReLU transmitted, then L = 4 from that.
The last 5,000 training images are kept for validation; the test images are not looked at here.

A checkpoint is written every two minutes, as a whole. What is random depends on the seed, the stage, the epoch and the
step alone, so a run that was stopped at any time gives the same weights as one that was not.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from snnkit.conversion.qcfs import QCFS
from snnkit.datasets import cifar10
from snnkit.models import normalise, wide_resnet
from snnkit.models.wideresnet import WideResNet

FOLDER = Path("build/checkpoints/wide_resnet")
HELD_OUT = 5000
PADDING = 4


@dataclass(frozen=True)
class Stage:
    """One part of the training; ``levels`` 0 stands for ReLU. The learning rate goes in a straight line."""

    name: str
    levels: int
    size: int
    epochs: int
    rate: tuple[float, float]


STAGES = (
    Stage("warm_up", 0, 24, 1, (0.02, 0.2)),
    Stage("relu", 0, 24, 13, (0.2, 0.08)),
    Stage("qcfs8_first", 8, 32, 6, (0.08, 0.08 / 7)),
    Stage("qcfs8", 8, 32, 14, (0.1, 0.0)),
    Stage("qcfs4", 4, 32, 5, (0.04, 0.0)),
)


@dataclass(frozen=True)
class Settings:
    """Everything that decides the weights."""

    depth: int = 16
    width: int = 2
    batch: int = 128
    momentum: float = 0.9
    decay: float = 5e-4
    smoothing: float = 0.1
    percentile: float = 99.5
    seed: int = 0
    images: int = 45_000
    stages: tuple[Stage, ...] = STAGES


@dataclass
class Progress:
    """Where the training is; ``history`` has one entry for each finished epoch."""

    stage: int = 0
    epoch: int = 0
    step: int = 0
    seconds: float = 0.0


def normalised(pixels: NDArray[np.uint8]) -> Tensor:
    """Images ``[N, 3, H, W]`` of bytes as the network's input, channels last."""
    x = normalise(torch.from_numpy(np.ascontiguousarray(pixels)).float().div_(255))
    return x.contiguous(memory_format=torch.channels_last)


def augmented(
    padded: NDArray[np.uint8], chosen: NDArray[np.int64], draw: np.random.Generator
) -> NDArray[np.uint8]:
    """Random 32 x 32 windows of padded images, half of them mirrored."""
    windows = np.lib.stride_tricks.sliding_window_view(padded, (32, 32), axis=(2, 3))
    down, right = draw.integers(0, 2 * PADDING + 1, (2, len(chosen)))
    images = windows[chosen, :, down, right]
    mirrored = draw.random(len(chosen)) < 0.5
    images[mirrored] = images[mirrored, :, :, ::-1]
    return images


def build(settings: Settings, levels: int) -> WideResNet:
    """A fresh network for a stage."""
    torch.manual_seed(settings.seed)
    activation = (lambda: QCFS(levels)) if levels else nn.ReLU
    model = wide_resnet(settings.depth, settings.width, activation)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def optimiser(model: nn.Module, settings: Settings) -> torch.optim.SGD:
    """SGD with Nesterov's momentum; weights decay, norms, biases and clips do not."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": settings.decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=0.1, momentum=settings.momentum, nesterov=True, fused=True)


@torch.no_grad()
def measure_clips(model: WideResNet, images: Tensor, percentile: float) -> dict[str, float]:
    """A percentile of what each activation of a trained network transmits, by its name."""
    clips: dict[str, float] = {}

    def hook(name: str) -> Any:
        def keep(_: nn.Module, __: Any, output: Tensor) -> None:
            clips[name] = float(np.percentile(output.numpy(), percentile))

        return keep

    handles = [
        module.register_forward_hook(hook(name))
        for name, module in model.named_modules()
        if isinstance(module, nn.ReLU | QCFS)
    ]
    model.eval()
    model(images)
    for handle in handles:
        handle.remove()
    return clips


def next_model(model: WideResNet, settings: Settings, stage: Stage, images: Tensor) -> WideResNet:
    """The network of the next stage with the weights of the last; clips are measured where there were none."""
    following = build(settings, stage.levels)
    state = {name: value for name, value in model.state_dict().items() if name in following.state_dict()}
    following.load_state_dict(state, strict=False)
    if stage.levels and not any(isinstance(module, QCFS) for module in model.modules()):
        for name, clip in measure_clips(model, images, settings.percentile).items():
            activation = following.get_submodule(name)
            assert isinstance(activation, QCFS)
            activation.clip.data.fill_(clip)
    return following


@torch.no_grad()
def accuracy(model: nn.Module, images: NDArray[np.uint8], labels: Tensor, batch: int = 250) -> float:
    """Share of images that are classified right."""
    model.eval()
    right = 0
    for at in range(0, len(images), batch):
        logits = model(normalised(images[at : at + batch]))
        right += int((logits.argmax(1) == labels[at : at + batch]).sum())
    return right / len(images)


class Training:
    """A training that can be stopped at any time: :meth:`run` goes on from the last checkpoint in ``folder``.

    Args:
        settings: what decides the weights.
        folder: for the checkpoint, the finished weights and the history.
        pixels: training images ``[N, 3, 32, 32]``, bytes; those beyond ``settings.images`` validate.
        labels: of the images.

    Raises:
        ValueError: the folder holds a checkpoint of other settings.
    """

    def __init__(
        self, settings: Settings, folder: Path, pixels: NDArray[np.uint8], labels: NDArray[np.int64]
    ) -> None:
        self.settings, self.folder = settings, folder
        count = settings.images
        edge = ((0, 0), (0, 0), (PADDING, PADDING), (PADDING, PADDING))
        self.padded = np.pad(pixels[:count], edge)
        self.plain = pixels[: min(count, 1000)]
        self.labels = torch.as_tensor(labels[:count])
        self.held_out, self.held_out_labels = pixels[-HELD_OUT:], torch.as_tensor(labels[-HELD_OUT:])
        self.progress = Progress()
        self.history: list[dict[str, Any]] = []
        self.model = build(settings, settings.stages[0].levels)
        self.optimiser = optimiser(self.model, settings)
        self._resume()

    @property
    def stage(self) -> Stage:
        return self.settings.stages[self.progress.stage]

    @property
    def done(self) -> bool:
        return self.progress.stage == len(self.settings.stages)

    def _identity(self) -> str:
        return json.dumps(asdict(self.settings))

    def _resume(self) -> None:
        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            return
        saved = torch.load(path, weights_only=True)
        if saved["settings"] != self._identity():
            raise ValueError(
                f"{path} belongs to other settings; give another --folder or remove it to begin anew"
            )
        self.progress = Progress(**saved["progress"])
        self.history = json.loads(saved["history"])
        last = min(self.progress.stage, len(self.settings.stages) - 1)
        self.model = build(self.settings, self.settings.stages[last].levels)
        self.model.load_state_dict(saved["model"])
        self.optimiser = optimiser(self.model, self.settings)
        self.optimiser.load_state_dict(saved["optimiser"])

    def save(self) -> None:
        """Replace the checkpoint in one step."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".checkpoint.{os.getpid()}"
        state = {
            "settings": self._identity(),
            "progress": asdict(self.progress),
            "history": json.dumps(self.history),
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        torch.save(state, draft)
        os.replace(draft, self.folder / "checkpoint.pt")

    def _epoch(self, every: float, bar: Any) -> None:
        """What is left of the present epoch."""
        at, stage, settings = self.progress, self.stage, self.settings
        order = np.random.default_rng([settings.seed, at.stage, at.epoch]).permutation(len(self.padded))
        steps = len(order) // settings.batch
        first, last = stage.rate
        self.model.train()
        saved = begun = time.monotonic()
        while at.step < steps:
            share = (at.epoch + at.step / steps) / stage.epochs
            for group in self.optimiser.param_groups:
                group["lr"] = first + (last - first) * share
            draw = np.random.default_rng([settings.seed, at.stage, at.epoch, at.step])
            chosen = order[at.step * settings.batch : (at.step + 1) * settings.batch]
            x = normalised(augmented(self.padded, chosen, draw))
            if stage.size != 32:
                x = functional.interpolate(x, size=stage.size, mode="bilinear", antialias=True)
            loss = functional.cross_entropy(
                self.model(x), self.labels[chosen], label_smoothing=settings.smoothing
            )
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            at.step += 1
            now = time.monotonic()
            at.seconds, begun = at.seconds + now - begun, now
            bar.update()
            bar.set_postfix(loss=f"{float(loss.detach()):.3f}", refresh=False)
            if now - saved > every:
                self.save()
                saved = now
        held_out = self.held_out if at.epoch + 1 == stage.epochs else self.held_out[:1000]
        right = accuracy(self.model, held_out, self.held_out_labels[: len(held_out)])
        entry = {
            "stage": stage.name,
            "epoch": at.epoch + 1,
            "loss": float(loss.detach()),
            "validation": right,
            "validation_images": len(held_out),
            "seconds": round(at.seconds, 1),
        }
        self.history.append(entry)
        bar.write(json.dumps(entry))
        at.epoch, at.step = at.epoch + 1, 0

    def _finish_stage(self) -> None:
        """Keep the weights of the stage that is over and set up the next one."""
        save_file(
            {
                name: (value.half() if value.is_floating_point() else value).contiguous()
                for name, value in self.model.state_dict().items()
            },
            self.folder / f"{self.stage.name}.safetensors",
        )
        self.progress.stage, self.progress.epoch = self.progress.stage + 1, 0
        if self.done:
            return
        if self.stage.levels != self.settings.stages[self.progress.stage - 1].levels:
            self.model = next_model(self.model, self.settings, self.stage, normalised(self.plain))
            self.optimiser = optimiser(self.model, self.settings)

    def run(self, every: float = 120.0) -> list[dict[str, Any]]:
        """Train to the end; the history. ``every`` is the time in seconds between two checkpoints."""
        while not self.done:
            steps = len(self.padded) // self.settings.batch
            where = f"{self.stage.name} {self.progress.epoch + 1}/{self.stage.epochs}"
            with tqdm(total=steps, initial=self.progress.step, desc=where, mininterval=5) as bar:
                self._epoch(every, bar)
            if self.progress.epoch == self.stage.epochs:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._finish_stage()
            self.save()
        return self.history


def quick() -> Settings:
    """A tiny run through every stage."""
    stages = tuple(Stage(s.name, s.levels, s.size, 1, s.rate) for s in STAGES)
    return Settings(depth=10, width=1, batch=32, images=64, stages=stages)


def load(count: int | None = None) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The training images as bytes, in the order of the data set."""
    data = cifar10(part="train", count=count)
    return (np.asarray(data.images) * 255).round().astype(np.uint8), np.asarray(data.labels)


def main(
    folder: Annotated[Path, typer.Option(help="Where checkpoint, weights and history are kept.")] = FOLDER,
    small: Annotated[bool, typer.Option("--quick", help="A few images, to see that it runs.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
) -> None:
    """Train the networks; the weights of each stage are left in the folder as safetensors of half precision."""
    torch.set_num_threads(threads)
    pixels, labels = load(2000 if small else None)
    training = Training(
        quick() if small else Settings(), folder / "quick" if small else folder, pixels, labels
    )
    history = training.run()
    typer.echo(json.dumps(history[-1]))


if __name__ == "__main__":
    typer.run(main)
