"""The workflow, README and CONTRIBUTING name only commands, targets and files that exist, and their code runs."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from autograder.isolation import sandbox
from tests.support import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")]
#: Commands of the system that the pages may name; what they are given is not looked at.
SYSTEM = {"apt-get", "git", "pip", "sudo"}


def targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):", makefile, flags=re.M))


def steps(workflow: str) -> Iterator[str]:
    """Every command that a job runs."""
    for job in yaml.safe_load(workflow)["jobs"].values():
        for step in job["steps"]:
            for line in step.get("run", "").splitlines():
                yield from line.split("&&")


def commands(page: str) -> Iterator[str]:
    """The lines of a page's console blocks, and what stands in backticks and begins like a command."""
    for block in re.findall(r"^```console\n(.*?)^```", page, flags=re.M | re.S):
        yield from filter(str.strip, block.splitlines())
    prose = re.sub(r"^```.*?^```", "", page, flags=re.M | re.S)
    yield from re.findall(
        r"`((?:[A-Z_]+=\S+ )*(?:make|python|pytest|snngrade|snnkit|\.ci/run|\S*/python) [^`]*|\.ci/run)`",
        prose,
    )


def known(app: typer.Typer, words: list[str]) -> bool:
    """Whether the words lead through sub-commands of a program to the end, an option or an argument."""
    inside: dict[str, Any] = getattr(typer.main.get_command(app), "commands", {})
    for word in words:
        if not inside or word.startswith("-"):
            return True
        if word not in inside:
            return False
        inside = getattr(inside[word], "commands", {})
    return True


def wrong(command: str, root: Path = ROOT) -> str:
    """Why a command cannot be run as it is written; empty when it can."""
    words = shlex.split(command, comments=True)
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    name, rest = Path(words[0]).name, words[1:]
    if words[0] in SYSTEM:
        return ""
    if name == "make":
        asked = [word for word in rest if "=" not in word and not word.startswith("-")]
        absent = set(asked) - targets((root / "Makefile").read_text())
        return f"make has no target {', '.join(sorted(absent))}" if absent else ""
    if name.startswith("python") and rest[:1] == ["-m"]:
        return _module(rest[1], rest[2:], root)
    if name.startswith("python"):
        return "" if rest and (root / rest[0]).is_file() else f"there is no file {rest[:1]}"
    if name == "pytest":
        return _module("pytest", rest, root)
    if name in {"snngrade", "snnkit"}:
        program = importlib.import_module({"snngrade": "autograder.cli", "snnkit": "snnkit.cli"}[name]).app
        return "" if known(program, rest) else f"{name} has no command {' '.join(rest)}"
    return "" if (root / words[0]).is_file() else f"there is no command {words[0]}"


def _module(name: str, words: list[str], root: Path) -> str:
    if importlib.util.find_spec(name) is None:
        return f"there is no module {name}"
    paths = [word.split("::")[0] for word in words if "/" in word and not word.startswith("-")]
    absent = [path for path in paths if name == "pytest" and not (root / path).exists()]
    return f"there is no file {absent[0]}" if absent else ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_only_commands_that_exist(page: Path) -> None:
    named = list(commands(page.read_text(encoding="utf-8")))
    assert named
    assert [why for why in map(wrong, named) if why] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_only_files_that_exist(page: Path) -> None:
    """In the checkout, or in one of its folders where the folder is clear from the sentence."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    named = set(re.findall(r"`([\w.-]+(?:/[\w.-]+)*(?:/|\.(?:py|toml|txt|md|yml|bib)))`", prose))
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    known = {f"/{part}" for line in tracked.stdout.splitlines() for part in (line, *parents(line))}
    assert named
    assert [name for name in sorted(named) if not any(path.endswith(f"/{name}") for path in known)] == []


def parents(path: str) -> Iterator[str]:
    """The folders that a file is in, with a slash at the end."""
    yield from (f"{folder}/" for folder in Path(path).parents)


@pytest.mark.slow
def test_code_of_contributing_runs() -> None:
    """As it stands there, one block after the other, in a process of its own."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGES[1].read_text(encoding="utf-8"), flags=re.M | re.S)
    assert blocks
    try:
        sandbox.require(sandbox.probe())
    except sandbox.IsolationError as error:
        pytest.skip(str(error).splitlines()[0])
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "count is 3" in done.stdout


def test_workflow_names_only_commands_that_exist() -> None:
    named = list(steps(WORKFLOW.read_text(encoding="utf-8")))
    assert {"make quick", "make test", "make soak"} <= set(named)
    assert [why for why in map(wrong, named) if why] == []


def test_workflow_tries_every_python_that_is_promised() -> None:
    jobs = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    tried = jobs["quick"]["strategy"]["matrix"]["python"]
    classified = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert tried == classified
    assert re.search(rf'requires-python = ">={re.escape(tried[0])}"', (ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("make tset", "make has no target tset"),
        ("OMP_NUM_THREADS=1 make quick PS=ps0", ""),
        ("snngrade gradde PS", "snngrade has no command gradde PS"),
        ("snnkit data list", ""),
        ("snnkit data lst", "snnkit has no command data lst"),
        ("python -m autograder.nothing", "there is no module autograder.nothing"),
        (".venv/bin/python -m pytest tests/nowhere -k x", "there is no file tests/nowhere"),
        ("python tools/build_book.py --fresh", ""),
        (".ci/walk", "there is no command .ci/walk"),
    ],
)
def test_what_does_not_exist_is_said(command: str, said: str) -> None:
    assert wrong(command) == said
