"""The layers: what the probe reports, what is refused, and that each way of isolating holds without the others."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.isolation import landlock, sandbox, seccomp
from autograder.isolation.limits import Limits
from autograder.isolation.sandbox import LAYERS, IsolationError, Layers
from autograder.isolation.session import Session
from autograder.isolation.source import WarmParent
from tests.support import ROOT

from .calls import probe
from .conftest import Canaries

NONE = Layers({name: "switched off" for name in LAYERS})


def with_only(*names: str) -> Layers:
    return Layers({name: "" if name in names else "switched off" for name in LAYERS})


def test_probe_prints_a_table(layers: Layers) -> None:
    lines = str(layers).splitlines()
    assert len(lines) == len(LAYERS) + 1
    assert lines[0].split() == ["layer", "active", "protects", "against"]
    for name, (title, purpose) in LAYERS.items():
        (line,) = [line for line in lines if line.startswith(title + "  ")]
        assert (purpose in line) == layers.has(name)
        assert ("  yes " in line) == layers.has(name)


def test_command_prints_the_table(layers: Layers, capsys: pytest.CaptureFixture[str]) -> None:
    from autograder.isolation.__main__ import main

    status = main()
    assert capsys.readouterr().out.strip() == str(layers)
    assert status == (0 if layers.files and layers.network and layers.processes else 1)


def test_probe_can_be_told_to_leave_layers_out() -> None:
    found = sandbox.probe(without=("net", "seccomp"))
    assert not found.has("net")
    assert found.found["seccomp"] == "switched off"
    assert not found.network
    with pytest.raises(IsolationError, match="network"):
        sandbox.require(found)


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        ((), ["files", "network", "processes"]),
        (("view",), ["network", "processes"]),
        (("landlock", "net"), ["processes"]),
        (("net", "pid"), ["files"]),
        (("landlock", "seccomp"), []),
        (("view", "net", "pid"), []),
    ],
)
def test_refuses_what_cannot_be_isolated(names: tuple[str, ...], missing: list[str]) -> None:
    layers = with_only(*names)
    sandbox.require(layers, unsafe=True)
    if not missing:
        sandbox.require(layers)
        return
    with pytest.raises(IsolationError) as caught:
        sandbox.require(layers)
    text = str(caught.value)
    assert all(f"{word} (neither" in text for word in missing)
    assert "--unsafe" in text
    assert "container" in text


@pytest.mark.parametrize(("platform", "name"), [("darwin", "macOS"), ("win32", "Windows")])
def test_other_systems_get_the_container(monkeypatch: pytest.MonkeyPatch, platform: str, name: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    layers = sandbox.probe()
    assert layers.active == ()
    with pytest.raises(IsolationError, match=f"this is {name}.*(?s:.*)WSL 2.*container"):
        sandbox.require(layers)


def test_warm_parent_refuses_to_start_without_isolation(tmp_path: Path) -> None:
    with pytest.raises(IsolationError, match="cannot isolate"):
        WarmParent(tmp_path, layers=NONE)


@pytest.mark.parametrize(
    "changes", [{"cell_seconds": 0}, {"memory_mb": -1}, {"processes": -1}, {"restarts": -1}, {"output_kb": 0}]
)
def test_limits_are_checked(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        Limits(**changes)


def test_grants_leave_out_hidden_folders(tmp_path: Path) -> None:
    for name in ("env/site/keep", "env/site/grader/deep", "env/bin", "checkout/env2", "checkout/solutions"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "env/site/one.py").write_text("")
    found = landlock.grants(
        [str(tmp_path / "env"), str(tmp_path / "checkout/env2")],
        [str(tmp_path / "env/site/grader"), str(tmp_path / "checkout")],
    )
    assert sorted(os.path.relpath(path, tmp_path) for path in found) == [
        "checkout/env2", "env/bin", "env/site/keep", "env/site/one.py",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_call_numbers_are_the_kernels(machine: str, header: str) -> None:
    if not Path(header).exists():
        pytest.skip(f"the kernel's headers are not installed: {header}")
    lines = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text())
    numbers = {name: int(number) for name, number in lines}
    column = 0 if machine == "x86_64" else 1
    tables = {**seccomp._DENIED, **seccomp._CHILDREN, **seccomp._BY_ARGUMENT}
    compared = 0
    for name, row in tables.items():
        if row[column] is not None and name in numbers:
            assert row[column] == numbers[name], name
            compared += 1
    assert compared > 70
    assert len(seccomp.program(children=False, signal_only=1, machine=machine)) % 8 == 0


def test_no_filter_for_an_unknown_machine() -> None:
    with pytest.raises(OSError, match="riscv64"):
        seccomp.program(children=False, machine="riscv64")


ATTACKS = """
import os, socket
def attempt(action):
    try:
        action()
        return "went through"
    except OSError:
        return "refused"
found = dict(
    read=attempt(lambda: open({canary!r}).read()),
    write=attempt(lambda: open({canary!r}, "w").write("x")),
    checks=attempt(lambda: open({checks!r}).read()),
    other=attempt(lambda: open({other!r}).read()),
    tcp=attempt(lambda: socket.create_connection(("127.0.0.1", {tcp}), timeout=1)),
    udp=attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", {udp}))),
    parent=attempt(lambda: os.kill({pid}, 0)),
)
for name, outcome in found.items():
    if outcome != "refused":
        print(name)
"""
COMBINATIONS = {
    "namespaces alone": ("user", "view", "net", "pid", "ipc", "uts", "uid", "rlimits", "death"),
    "Landlock and the filter alone": ("landlock", "caps", "seccomp", "rlimits", "death"),
    "Landlock and the filter, as another user": ("landlock", "caps", "seccomp", "uid", "rlimits", "death"),
}


@pytest.mark.slow
@pytest.mark.xdist_group("isolation")
@pytest.mark.parametrize("name", COMBINATIONS)
def test_each_combination_isolates(
    name: str, layers: Layers, need: Callable[..., None], library: Path, canaries: Canaries, tmp_path: Path
) -> None:
    """The same attacks against machines that have only some of the layers."""
    names = tuple(layer for layer in COMBINATIONS[name] if layer != "user" or os.geteuid() != 0)
    if "uid" in names and "view" not in names and os.geteuid() == 0:
        names = tuple(layer for layer in names if layer != "uid" or readable_by_all(Path(os.__file__)))
        if "uid" not in names:
            pytest.skip(
                "this machine lacks the layer 'uid' without a view: the interpreter lies in root's home"
            )
    need(*names)
    assert sandbox.require(with_only(*names)) is None
    code = ATTACKS.format(
        canary=str(canaries.file), tcp=canaries.tcp, udp=canaries.udp, pid=os.getpid(),
        checks=str(ROOT / "autograder" / "perform" / "__init__.py"), other=str(library / "other" / "secret.py"),
    )  # fmt: skip
    with (
        WarmParent(
            library, layers=with_only(*names), preload=("numpy", "torch"), cache=tmp_path
        ) as warm_parent,
        Session(warm_parent, library / "one", Limits(cell_seconds=20, memory_mb=300, file_mb=2)) as session,
    ):
        attacked = session.run_cell(code)
        assert (attacked.status, attacked.outputs) == ("ok", ())
        session.run_cell("import tiny, os; open('own.txt', 'w').write('kept'); f = lambda x: tiny.double(x)")
        probed = probe(session, "def p(a, data): return {'y': a['f'](data)}", "p", ["f"], [2.5])
        assert probed.replies[0].arrays["y"] == 5.0
        assert session.run_cell("import os; os._exit(3)").status == "died"
        again = probe(session, "def p(a, data): return {'y': a['f'](data)}", "p", ["f"], [1.0])
        assert again.replies[0].arrays["y"] == 2.0
    assert canaries.untouched()


def readable_by_all(path: Path) -> bool:
    return all(part.stat().st_mode & 0o005 for part in path.resolve().parents)


def test_importing_takes_nothing_of_the_checks_along() -> None:
    """The warm parent's way of loading the package leaves the rest of the grader out of its memory."""
    code = (
        f"import runpy, sys\nrunpy.run_path({str(sandbox.BOOT)!r})['load']()"
        "\nimport isolation.worker, isolation.shell, isolation.warm_parent"
        "\nprint([name for name in sys.modules if name.split('.')[0] in ('autograder', 'snnkit')])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_stack_is_grown_in_one_step() -> None:
    """In a process of its own, since a stack that has grown stays so."""
    code = (
        "from autograder.isolation import linux\n"
        "def size():\n"
        "    a, b = next(l for l in open('/proc/self/maps') if '[stack]' in l).split()[0].split('-')\n"
        "    return int(b, 16) - int(a, 16)\n"
        "before = size(); grown = linux.grow_stack(); print(grown, before, size())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    grown, before, after = map(int, done.stdout.split())
    assert before < grown <= after
