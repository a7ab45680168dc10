"""Every module is reached by its dotted path, imported on first use, and says which of its names are public."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import snnkit

PUBLIC = sorted(
    module.name
    for module in pkgutil.walk_packages(snnkit.__path__, "snnkit.")
    if not any(part.startswith("_") for part in module.name.split("."))
)


FRESH = f"""
import sys
wrong = []
for name in {PUBLIC!r}:
    for old in [old for old in sys.modules if old.split(".")[0] == "snnkit"]:
        del sys.modules[old]
    import snnkit
    found = snnkit
    for part in name.split(".")[1:]:
        found = getattr(found, part, None)
    if found is None or found is not sys.modules.get(name):
        wrong.append(name)
assert not wrong, wrong
"""
"""Reach every module by attributes, each time with nothing of snnkit imported."""


def run(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_dotted_path_imports_what_it_needs_and_no_more() -> None:
    run(
        "import sys, snnkit\n"
        "assert 'torch' not in sys.modules and 'snnkit.conversion' not in sys.modules\n"
        "snnkit.conversion.errors.split_errors\n"
        "assert 'snnkit.conversion.remedies' not in sys.modules, 'remedies was not asked for'\n"
        "snnkit.conversion.remedies.SignedSpikes, snnkit.conversion.tuning.tune, snnkit.conversion.studies.STUDIES\n"
    )


@pytest.mark.slow
def test_every_dotted_path_works_after_import_snnkit_alone() -> None:
    run(FRESH)


@pytest.mark.parametrize("name", PUBLIC)
def test_no_name_hides_a_submodule(name: str) -> None:
    module = importlib.import_module(name)
    found = snnkit
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    assert isinstance(found, ModuleType)
    assert found is module


def test_a_missing_name_is_named_with_what_there_is() -> None:
    with pytest.raises(
        AttributeError, match=r"'snnkit.conversion' has no attribute 'error'; .*errors, folding"
    ):
        snnkit.conversion.error  # noqa: B018
    assert {"errors", "convert", "remedies"} <= set(dir(snnkit.conversion))


@pytest.mark.parametrize("name", PUBLIC)
def test_all_names_what_is_public(name: str) -> None:
    module = importlib.import_module(name)
    made_here = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == name
    }
    assert made_here <= set(module.__all__)
    assert all(hasattr(module, key) for key in module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)
