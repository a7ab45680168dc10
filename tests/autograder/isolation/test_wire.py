"""The protocol: what is packed comes back, and everything else is refused within its limits."""

from __future__ import annotations

import ast
import json
import math
import os
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.isolation import fuzz, wire
from autograder.isolation.wire import FrameError, FrameLimits

PACKAGE = Path(wire.__file__).parent
DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")

arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**90), 2**90) | st.floats() | texts | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(texts | st.integers() | st.tuples(st.integers(), texts), inner, max_size=4)
    ),
    max_leaves=12,
)


def alike(one: Any, other: Any) -> bool:
    """Equality of plain data in which NaN equals NaN and types count."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict):
        return alike(list(one), list(other)) and alike(list(one.values()), list(other.values()))
    return bool(one == other)


@settings(max_examples=150, deadline=None)
@given(plain)
def test_plain_data_survive_the_journey(value: Any) -> None:
    assert alike(wire.decode(wire.encode(value)), value)


@settings(max_examples=60, deadline=None)
@given(arrays)
def test_array_layout_is_numpys(array: np.ndarray) -> None:
    import io

    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    assert alike(wire.decode_array(buffer.getvalue()), array)
    assert alike(np.load(io.BytesIO(wire.encode_array(array))), array)


def test_an_array_that_occurs_twice_is_sent_once() -> None:
    array = np.ones(1000)
    assert len(wire.encode([array] * 50)) < 2 * len(wire.encode([array]))
    assert alike(wire.decode(wire.encode([array] * 3)), [array] * 3)


def test_fortran_order_and_scalars() -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    import io

    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    assert b"True" in buffer.getvalue()
    np.testing.assert_array_equal(wire.decode_array(buffer.getvalue()), array)
    back = wire.decode(wire.encode(np.float32(0.1)))
    assert type(back) is np.float32
    assert back == np.float32(0.1)


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, b"x", 1j, np.array(["a"]), np.array([1j]), np.array([None])]
)
def test_what_is_not_plain_data_is_not_sent(value: object) -> None:
    with pytest.raises(TypeError, match=r"plain data|do not cross"):
        wire.encode(value)


def frame(body: bytes, *payloads: bytes) -> bytes:
    head = struct.pack("<4sII", b"SNF1", len(body), len(payloads))
    return head + body + b"".join(struct.pack("<Q", len(data)) + data for data in payloads)


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def header(descr: str = "<f8", shape: str = "(1,)", order: str = "False") -> str:
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}"


REFUSED = {
    "empty": (b"", "closed"),
    "wrong mark": (b"XXXX" + bytes(8), "magic"),
    "body of 4 GB": (struct.pack("<4sII", b"SNF1", 0xFFFFFFFF, 0), "size"),
    "4 billion arrays": (struct.pack("<4sII", b"SNF1", 2, 0xFFFFFFFF) + b"{}", "size"),
    "array of 16 EB": (frame(b"{}", b"")[:-8] + b"\xff" * 8, "size"),
    "cut body": (frame(b'{"a":1}')[:-2], "closed"),
    "left over": (frame(b"{}") + b"x", "size"),
    "not JSON": (frame(b"{'a': 1}"), "json"),
    "not UTF-8": (frame(b'"\xff"'), "json"),
    "half a surrogate pair": (frame(b'"\\ud800"'), "json"),
    "NaN": (frame(b"NaN"), "json"),
    "1e999": (frame(b"1e999"), "json"),
    "a long number": (frame(b"9" * 5000), "json"),
    "a long float": (frame(b"1." + b"9" * 5000), "json"),
    "double key": (frame(b'{"a":1,"a":2}'), "json"),
    "100,000 deep": (frame(b"[" * 100_000), "values"),
    "30 deep": (frame(b"[" * 30 + b"]" * 30), "depth"),
    "deep by another bracket": (frame(b'{"a":' * 30 + b"1" + b"}" * 30), "depth"),
    "many values": (frame(b"[" + b"0," * 60_000 + b"0]"), "values"),
    "many keys": (frame(json.dumps({str(k): k for k in range(60_000)}).encode()), "values"),
    "array that is not there": (frame(b'{"$array":0}'), "value"),
    "array by a boolean": (frame(b'{"$array":true}', wire.encode_array(np.ones(1))), "value"),
    "scalar that is none": (frame(b'{"$scalar":0}', wire.encode_array(np.ones(2))), "value"),
    "unknown mark": (frame(b'{"$eval":"1"}'), "value"),
    "mark beside keys": (frame(b'{"$array":0,"a":1}', wire.encode_array(np.ones(1))), "value"),
    "unhashable key": (frame(b'{"$dict":[[[],1]]}'), "value"),
    "objects": (frame(b"0", npy(header("|O"), bytes(8))), "npy"),
    "strings": (frame(b"0", npy(header("<U1"), bytes(4))), "npy"),
    "complex": (frame(b"0", npy(header("<c16"), bytes(16))), "npy"),
    "big-endian": (frame(b"0", npy(header(">f8"), bytes(8))), "npy"),
    "structured": (
        frame(b"0", npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }", bytes(8))),
        "npy",
    ),
    "a call in the header": (frame(b"0", npy(header(shape="(__import__('os').getpid(),)"))), "npy"),
    "a comment in the header": (frame(b"0", npy(header() + "#", bytes(8))), "npy"),
    "version 2": (frame(b"0", npy(header(), bytes(8), b"\x02\x00")), "npy"),
    "a long header": (frame(b"0", npy(header() + " " * 1000, bytes(8))), "npy"),
    "negative length": (frame(b"0", npy(header(shape="(-1,)"), bytes(8))), "npy"),
    "a terabyte": (frame(b"0", npy(header(shape="(99999999999,)"))), "size"),
    "empty but vast": (frame(b"0", npy(header(shape="(0, 99999999, 99999999, 99999999)"))), "size"),
    "nine dimensions": (frame(b"0", npy(header(shape=f"({'1, ' * 8}1)"), bytes(8))), "npy"),
    "too few bytes": (frame(b"0", npy(header(shape="(2,)"), bytes(8))), "npy"),
    "too many bytes": (frame(b"0", npy(header(), bytes(9))), "npy"),
    "boolean 2": (frame(b"0", npy(header("|b1"), b"\x02")), "npy"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    data, reason = REFUSED[name]
    with pytest.raises(FrameError) as caught:
        wire.decode(data)
    assert caught.value.reason == reason
    assert str(caught.value).startswith(reason)


def test_limits_are_those_given() -> None:
    limits = FrameLimits(body=100, arrays=2, array_bytes=1000, elements=20, depth=3, values=12, dimensions=1)
    wire.decode(wire.encode([np.ones(10), np.ones(10)]), limits)
    for value, reason in (
        ("x" * 101, "size"),
        ([np.ones(7) for _ in range(3)], "size"),
        ([np.ones(11), np.ones(11)], "size"),
        ([np.ones(100), np.ones(100)], "size"),
        ([[[[1]]]], "depth"),
        ([1] * 20, "values"),
        (np.ones((2, 2)), "npy"),
    ):
        with pytest.raises(FrameError) as caught:
            wire.decode(wire.encode(value), limits)
        assert caught.value.reason == reason, value


def test_announced_lengths_allocate_nothing() -> None:
    wide = FrameLimits(body=1 << 31, array_bytes=1 << 40, elements=1 << 40)
    announcing = [
        struct.pack("<4sII", b"SNF1", (1 << 31) - 1, 0),
        struct.pack("<4sII", b"SNF1", 1, 1) + b"0" + struct.pack("<Q", 1 << 39),
        frame(b"0", npy(header(shape="(9999999999,)"))),
    ]
    for data in announcing:
        tracemalloc.start()
        with pytest.raises(FrameError):
            wire.decode(data, wide)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20


def test_string_scan_is_linear() -> None:
    """Escaped quotes without an end, the worst case of a backtracking pattern, at the size limit."""
    for body in (b'"' + b'\\"' * (1 << 21), b'"' + b'\\"' * (1 << 21) + b"\\", b'"' * (1 << 22)):
        with pytest.raises(FrameError):
            wire.decode_body(body)


def test_fuzz_finds_nothing() -> None:
    found = fuzz.fuzz(200_000, seed=int(os.environ.get("FUZZ_SEED", "1")))
    assert sum(found["outcomes"].values()) == 200_000
    assert {"ok", "closed", "json", "npy", "size", "value", "depth", "magic"} <= set(found["outcomes"])


def test_fuzz_stays_within_its_memory() -> None:
    """64 times the largest frame of the fuzz; the decoder's own copies are a few of it."""
    assert fuzz.peak_bytes(1500, seed=2) < 64 * (fuzz.SMALL.body + fuzz.SMALL.array_bytes)


def test_fuzz_command_runs_under_a_memory_limit() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "autograder.isolation.fuzz", "--frames", "2000", "--seed", "3"],
        capture_output=True, text=True, timeout=60, check=True, cwd=PACKAGE.parents[1],
    )  # fmt: skip
    assert json.loads(done.stdout)["frames"] == 2000


TRUSTED = (
    "landlock", "limits", "link", "linux", "mounts", "outputs", "preprocessor", "runner", "sandbox", "seccomp", "session",
    "source", "warm_parent", "wire", "withhold",
)  # fmt: skip
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "literal_eval", "loads_pickle"}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
#: Not the built-in functions; nor is the ``eval`` of a module, which takes no arguments.
HARMLESS = {"re.compile", "py_compile.compile"}
#: The corpus runs the course's own samples without isolation, and never a student's.
ALLOWED = {"corpus": ["exec", "compile"], "mutants": ["exec", "compile", "exec"]}


def forbidden(source: str) -> list[str]:
    """What a module does that could run or rebuild what a student sent."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN_MODULES]
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
            found.append(str(node.module))
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            evaluating = isinstance(node.func, ast.Attribute) and node.func.attr == "eval" and not node.args
            if name.split(".")[-1] in FORBIDDEN_CALLS and name not in HARMLESS and not evaluating:
                found.append(name)
            if name in ("np.load", "numpy.load", "torch.load", "torch.jit.load", "np.lib.format.read_array"):
                found.append(name)
            found += ["allow_pickle" for key in node.keywords if key.arg == "allow_pickle"]
    return found


@pytest.mark.parametrize("module", TRUSTED)
def test_trusted_side_never_evaluates(module: str) -> None:
    path = PACKAGE / f"{module}.py"
    if path.exists() or module not in ("preprocessor", "runner"):
        assert forbidden(path.read_text()) == []


AROUND = sorted(path for path in PACKAGE.parent.rglob("*.py") if PACKAGE not in path.parents)


@pytest.mark.parametrize("path", AROUND, ids=lambda path: path.relative_to(PACKAGE.parent).as_posix())
def test_what_is_around_the_isolation_never_evaluates(path: Path) -> None:
    assert forbidden(path.read_text(encoding="utf-8")) == ALLOWED.get(path.stem, [])


def test_the_scan_sees_what_it_looks_for() -> None:
    for line in (
        "import pickle", "from pickle import loads", "eval('1')", "builtins.exec(x)", "torch.load(f)",
        "np.load(f, allow_pickle=True)", "ast.literal_eval(text)", "frame.eval('1')",
    ):  # fmt: skip
        assert forbidden(line), line
    assert not forbidden("model.eval()")


def test_every_module_is_on_one_side() -> None:
    student = {"__init__", "__main__", "fuzz", "layer_tests", "shell", "worker"}
    assert {path.stem for path in PACKAGE.glob("*.py")} <= student | set(TRUSTED)
