"""The networks that come with the package: they load without data or network, fast, and reach what their card says."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from experiments.publish_wideresnet import ASSETS, OUTPUT
from snnkit.cli import app
from snnkit.conversion import QCFS, convert
from snnkit.datasets import cifar10
from snnkit.models import (
    ModelCard,
    normalise,
    pretrained,
    pretrained_card,
    pretrained_names,
    trained,
    wide_resnet,
)

NAMES = ("wrn16_2_qcfs4", "wrn16_2_qcfs8")


def test_what_there_is() -> None:
    assert pretrained_names() == NAMES
    for name in NAMES:
        card = pretrained_card(name)
        assert card.name == name
        assert card.accuracy >= 0.915
        assert (ASSETS / f"{name}.safetensors").stat().st_size < 3_000_000
        assert all(
            value.dtype != torch.float32 for value in load_file(ASSETS / f"{name}.safetensors").values()
        )
        model = pretrained(name)
        assert {m.levels for m in model.modules() if isinstance(m, QCFS)} == {card.levels}
        assert not model.training
        assert all(p.dtype == torch.float32 and p.requires_grad for p in model.parameters())
    history = json.loads(OUTPUT.read_text(encoding="utf-8"))["rows"]
    last = {row["stage"]: row for row in history}
    for name in NAMES:
        card = pretrained_card(name)
        row = last[name.rpartition("_")[2]]
        assert (row["validation"], row["validation_images"]) == (card.validation, card.validation_images)


@pytest.mark.slow
def test_each_loads_in_under_a_second_without_a_network_connection() -> None:
    """In a process of its own, after the import of the package."""
    code = (
        "import socket, time, snnkit.models\n"
        "def refuse(*_, **__): raise OSError('no network here')\n"
        "socket.socket.connect = refuse\n"
        "for name in snnkit.models.pretrained_names():\n"
        "    begun = time.process_time(); snnkit.models.pretrained(name); print(time.process_time() - begun)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds = [float(line) for line in done.stdout.split()]
    assert len(seconds) == len(NAMES)
    assert max(seconds) < 1


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", NAMES)
def test_recorded_accuracy_is_reached(name: str) -> None:
    card = pretrained_card(name)
    images, labels = cifar10(part="test", count=card.images).tensors()
    model = pretrained(name)
    right = 0
    with torch.no_grad():
        for x, y in zip(normalise(images).split(100), labels.split(100), strict=True):
            right += int((model(x).argmax(1) == y).sum())
    # another processor may round a pre-activation to the other side of a stair
    assert abs(right - round(card.accuracy * card.images)) <= 3


def test_a_trained_network_is_converted_with_its_own_thresholds() -> None:
    model = pretrained(NAMES[0])
    network = convert(model)
    clips = [float(m.clip.detach()) for m in model.modules() if isinstance(m, QCFS)]
    assert [float(layer.threshold) for layer in network.neurons().values()] == clips
    assert network(torch.zeros(1, 3, 32, 32), 2).shape == (1, 10)


CARD = ModelCard(
    name="small", title="Small", depth=10, width=1, levels=4, accuracy=0.5, images=2, validation=0.5,
    validation_images=2, data="", training="", use="", limits="", licence="",
)  # fmt: skip


def test_save_and_load(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = wide_resnet(10, 1, lambda: QCFS(4)).half().float().eval()
    trained.save(tmp_path / "small.safetensors", model, CARD)
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(trained.load(tmp_path / "small.safetensors")(x), model(x))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    model = wide_resnet(10, 1, lambda: QCFS(4))
    path = tmp_path / "small.safetensors"
    trained.save(path, model, dataclasses.replace(CARD, width=2))
    with pytest.raises(ValueError, match=r"the weights of small.safetensors do not fit its card"):
        trained.load(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"small.safetensors is not a complete safetensors file"):
        trained.load(path)
    save_file({"w": torch.zeros(1)}, path)
    with pytest.raises(
        ValueError, match=r"small.safetensors has no model card; expected the fields accuracy"
    ):
        trained.load(path)


def test_unknown_names_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        KeyError, match=r"no trained network 'resnet'; there are wrn16_2_qcfs4, wrn16_2_qcfs8"
    ):
        pretrained("resnet")


def test_command() -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["models", "trained"])
    assert listed.exit_code == 0
    assert all(name in listed.stdout for name in NAMES)
    shown = runner.invoke(app, ["models", "card", NAMES[0]])
    assert shown.exit_code == 0
    assert f'snnkit.models.pretrained("{NAMES[0]}")' in shown.stdout
    refused = runner.invoke(app, ["models", "card", "x"])
    assert (refused.exit_code, refused.stderr) == (
        1,
        f"error: no trained network 'x'; there are {', '.join(NAMES)}\n",
    )
