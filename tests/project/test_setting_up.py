"""Setting up from nothing, when something is missing: one line that says what and what to do, nothing half-made."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def make_env(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_env", root / "tools" / "make_env.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_old_python_is_named(make_env, monkeypatch, tmp_path):
    monkeypatch.setattr(make_env, "NEED", (99, 0))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer; .* is 3\.\d+\.\d+; install one"):
        make_env.main(str(tmp_path / "venv"))
    assert not (tmp_path / "venv").exists()


@pytest.mark.slow
def test_no_network_leaves_no_environment_behind(root, tmp_path):
    for name in ("pyproject.toml", "constraints.txt", "README.md", "LICENSE"):
        shutil.copy(root / name, tmp_path)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    environment |= {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
    }
    done = subprocess.run(
        [sys.executable, str(root / "tools" / "make_env.py"), "venv"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("make: the installation failed: no network")
    assert "run make again" in line
    assert not (tmp_path / "venv").exists()


def test_make_without_a_python_says_so(root):
    done = subprocess.run(
        ["make", "PYTHON=", "VENV=build/nowhere", "env"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "needs Python 3.11 or newer and found none on the PATH" in done.stderr
    assert not (root / "build" / "nowhere").exists()


def test_help_is_the_default_and_lists_every_target(root):
    said = subprocess.run(["make"], cwd=root, capture_output=True, text=True, check=True).stdout
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z][\w-]*):", makefile, flags=re.M)
    assert sorted(targets) == sorted(re.search(r"^\.PHONY: (.*)$", makefile, flags=re.M)[1].split())
    listed = [line.split()[1] for line in said.splitlines() if line.startswith("  make ")]
    assert sorted(listed) == sorted(targets)
