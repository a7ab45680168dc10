"""The command ``snnkit``: help, lists, simulation, and errors in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import snnkit
from snnkit import cli
from snnkit.datasets import CATALOGUE, nmnist, simulated_nmnist
from snnkit.events import Camera

runner = CliRunner()


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SNNKIT_DATA", raising=False)
    monkeypatch.setenv("SNNKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")


def run(*words: str) -> tuple[int, str, str]:
    done = runner.invoke(cli.app, list(words))
    return done.exit_code, done.stdout, done.stderr


def test_version() -> None:
    assert run("--version") == (0, f"snnkit {snnkit.__version__}\n", "")


def every_command(command: typer.core.TyperGroup, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [words]
    for name, inner in getattr(command, "commands", {}).items():
        found += every_command(inner, (*words, name))
    return found


def test_help_answers_everywhere() -> None:
    commands = every_command(typer.main.get_command(cli.app))  # type: ignore[arg-type]
    assert ("data", "simulate") in commands
    for words in commands:
        status, out, _ = run(*words, "--help")
        assert status == 0, words
        assert "Usage" in out


def test_list_names_every_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nmnist" / "Train").mkdir(parents=True)
    monkeypatch.setenv("SNNKIT_DATA", str(tmp_path))
    status, out, _ = run("data", "list")
    assert status == 0
    lines = {name: next(line for line in out.splitlines() if f" {name} " in line) for name in CATALOGUE}
    assert "embedded" in lines["digits"]
    assert "none stated" in lines["cifar10"]
    assert "CC BY-SA 4.0" in lines["nmnist"]
    assert str(tmp_path)[:20] in lines["nmnist"]
    assert " - " in lines["mnist"]


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_info_shows_the_licence(name: str) -> None:
    status, out, _ = run("data", "info", name)
    assert status == 0
    flat = " ".join(out.split())
    info = CATALOGUE[name]
    for text in (info.title, info.licence, info.citation):
        assert text in flat
    permission = "allowed by this licence" if info.redistributable else "not known to be allowed"
    assert permission in flat


def test_simulate_writes_the_layout_of_n_mnist(tmp_path: Path) -> None:
    out = tmp_path / "made"
    status, text, _ = run(
        "data", "simulate", "--out", str(out), "--count", "12", "--test", "3", "--noise", "2"
    )
    assert status == 0
    assert "15 simulated recordings" in text
    expected = simulated_nmnist("train", 12, Camera(noise=2.0))
    found = nmnist(out)
    assert np.array_equal(found.labels, expected.labels)
    assert np.array_equal(found[5].t, expected[5].t)
    assert len(nmnist(out, "test")) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("data", "info", "imagenet"), "there is no data set 'imagenet'; known are digits"),
        (("data", "fetch", "digits"), "digits needs no download"),
        (("data", "fetch", "dvs_gesture"), "cannot be downloaded directly"),
        (("data", "simulate", "--out", "OUT", "--count", "1501"), "has 1500 samples; got count=1501"),
        (("data", "simulate", "--out", "FULL"), "exists and is not an empty folder"),
        (("data", "simulate", "--out", "FULL/file"), "exists and is not an empty folder"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "file").write_text("x")
    places = {"OUT": str(tmp_path / "out"), "FULL": str(full), "FULL/file": str(full / "file")}
    status, out, err = run(*(places.get(word, word) for word in words))
    assert status == 1
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]


def test_a_wrong_data_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNNKIT_DATA", str(tmp_path / "gone"))
    for words in (("data", "list"), ("data", "info", "mnist")):
        status, _, err = run(*words)
        assert status == 1
        assert "which is not a folder; correct it or unset it" in err


def test_fetch_reports_place_and_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pooch

    asked: list[str] = []
    monkeypatch.setattr(pooch, "retrieve", lambda url, known_hash, **_: asked.append(f"{url} {known_hash}"))
    status, out, _ = run("data", "fetch", "mnist", "--to", str(tmp_path))
    assert status == 0
    assert [line.split(" md5:")[1] for line in asked] == [item.md5 for item in CATALOGUE["mnist"].downloads]
    assert f"MNIST is in {tmp_path / 'mnist'}" in out
    assert "licence: CC BY-SA 3.0" in out
    assert f"set SNNKIT_DATA to {tmp_path}" in out


def test_wrong_calls_end_with_status_2() -> None:
    for words in (("nonsense",), ("data", "simulate"), ("data", "simulate", "--out", "x", "--count", "0")):
        assert run(*words)[0] == 2


@pytest.mark.slow
def test_help_needs_no_torch() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from snnkit.cli import app\n"
        "for words in ([], ['data'], ['models'], ['models', 'info']):\n"
        "    assert CliRunner().invoke(app, [*words, '--help']).exit_code == 0\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "snnkit" in loaded.stdout.split()
    assert not {"torch", "numpy", "matplotlib", "sklearn", "spikingjelly"} & set(loaded.stdout.split())


@pytest.mark.slow
def test_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "snnkit.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"snnkit {snnkit.__version__}\n"
