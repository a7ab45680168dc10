"""The protocol: what is packed comes back, and everything else is refused within its limits."""

from __future__ import annotations

import json
import math
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.isolation import wire
from autograder.isolation.messages import (
    CaseDone,
    CellDone,
    Display,
    Message,
    ProbeDone,
    Ready,
    Stream,
    Traceback,
)
from autograder.isolation.wire import FrameError, FrameLimits
from tests.support import ROOT

from . import fuzz
from .fuzz import DTYPES

PACKAGE = Path(wire.__file__).parent

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


@given(plain)
def test_requests_are_read_as_they_were_written(value: Any) -> None:
    request = {"op": "probe", "cases": [value]}
    assert alike(read_request(wire.encode_request(request)), request)


def read_request(data: bytes) -> Any:
    """As the worker does."""
    (length,) = wire.LENGTH.unpack(data[: wire.LENGTH.size])
    assert length == len(data) - wire.LENGTH.size
    return pickle.loads(data[wire.LENGTH.size :])


MESSAGES: list[Message] = [
    Ready(),
    CellDone(1, "ok", [Stream("stderr", 'a"\\é\0\U0001f600'), Display({"text/plain": "3"})]),
    CellDone(1, "error", [Traceback("E", "text", ["line"] * 100)]),
    CaseDone(2, 7, "missing", "x is not defined", "x"),
    CaseDone(3, 0, changed=(0, 2)),
    ProbeDone(2, "time", "printed"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_messages_survive_the_journey(message: Message) -> None:
    assert wire.decode(wire.encode(message)) == (message, {})


@given(st.dictionaries(texts, arrays, max_size=4))
def test_arrays_come_by_their_names(named: dict[str, Any]) -> None:
    message, found = decode_arrays(named)
    assert message == CaseDone(1, 0, arrays=tuple(named))
    assert alike(found, named)


def decode_arrays(named: dict[str, Any], limits: FrameLimits = wire.DEFAULT) -> Any:
    return wire.decode(wire.encode(CaseDone(1, 0, arrays=tuple(named)), named.values()), limits)


@given(arrays)
def test_array_layout_is_numpys(array: np.ndarray) -> None:
    import io

    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    assert alike(wire.decode_array(buffer.getvalue()), array)
    assert alike(np.load(io.BytesIO(wire.encode_array(array))), array)


def test_an_array_that_occurs_twice_is_sent_once() -> None:
    array = np.ones(1000)
    request = {"cases": [array] * 50}
    assert len(wire.encode_request(request)) < 2 * len(wire.encode_request({"cases": [array]}))
    assert alike(read_request(wire.encode_request(request)), request)


def test_arrays_arrive_writable() -> None:
    array = np.ones(3)
    array.flags.writeable = False
    assert read_request(wire.encode_request({"x": array}))["x"].flags.writeable
    assert decode_arrays({"x": array})[1]["x"].flags.writeable


def test_fortran_order() -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    import io

    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    assert b"True" in buffer.getvalue()
    np.testing.assert_array_equal(wire.decode_array(buffer.getvalue()), array)
    np.testing.assert_array_equal(decode_arrays({"x": array})[1]["x"], array)


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, b"x", 1j, len, np.array(["a"]), np.array([1j]), np.array([None]), np.ma.array([1.0])],
)
def test_what_is_not_plain_data_is_not_sent(value: object) -> None:
    with pytest.raises(
        TypeError, match=r"^request\['cases'\]\[1\]\['x'\]: .* does not cross; expected numbers"
    ):
        wire.encode_request({"cases": [1, {"x": value}]})
    with pytest.raises(TypeError, match="a key that is not plain data"):
        wire.encode_request({"cases": {(1, b"x"): 2}})


def test_arrays_of_other_dtypes_do_not_come_back() -> None:
    for array in (np.array(["a"]), np.array([1j]), np.array([None]), np.array([1], "M8[s]")):
        with pytest.raises(TypeError, match="do not cross"):
            wire.encode(CaseDone(1, 0, arrays=("x",)), [array])


def frame(body: bytes, *payloads: bytes) -> bytes:
    head = struct.pack("<4sII", b"SNF1", len(body), len(payloads))
    return head + body + b"".join(struct.pack("<Q", len(data)) + data for data in payloads)


def cell(**changes: Any) -> bytes:
    """The body of an answer to a cell with some fields changed."""
    return json.dumps({"op": "cell", "id": 1, "status": "ok", "outputs": [], **changes}).encode()


def case(*names: str, **changes: Any) -> bytes:
    """The body of an answer to a case with arrays of these names and some fields changed."""
    return json.dumps({"op": "case", "id": 1, "index": 0, "arrays": names, **changes}).encode()


def array(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """A frame of one case with one array."""
    return frame(case("y"), npy(header, data, version))


def outputs(*items: Any) -> bytes:
    return frame(cell(outputs=items))


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def header(descr: str = "<f8", shape: str = "(1,)", order: str = "False") -> str:
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}"


READY = b'{"op":"ready"}'
ONE = wire.encode_array(np.ones(1))
REFUSED = {
    "empty": (b"", "closed"),
    "wrong mark": (b"XXXX" + bytes(8), "magic"),
    "body of 4 GB": (struct.pack("<4sII", b"SNF1", 0xFFFFFFFF, 0), "size"),
    "4 billion arrays": (struct.pack("<4sII", b"SNF1", 2, 0xFFFFFFFF) + b"{}", "size"),
    "array of 16 EB": (frame(case("y"), b"")[:-8] + b"\xff" * 8, "size"),
    "cut body": (frame(READY)[:-2], "closed"),
    "left over": (frame(READY) + b"x", "size"),
    "nothing in it": (frame(b""), "json"),
    "not JSON": (frame(b"{'op': 'ready'}"), "json"),
    "two messages": (frame(READY + READY), "json"),
    "not UTF-8": (frame(b'{"op":"\xff"}'), "json"),
    "half a surrogate pair": (frame(cell(outputs=[{"output_type": "stream", "name": "stdout", "text": "\ud800"}])), "json"),
    "half a pair in a key": (frame(cell(outputs=[{"output_type": "display_data", "data": {"\ud800": ""}}])), "json"),
    "NaN": (frame(cell(id=math.nan)), "json"),
    "infinity": (frame(cell(id=math.inf)), "json"),
    "1e999": (frame(cell().replace(b'"id": 1', b'"id": 1e999')), "answer"),
    "a long number": (frame(cell(id=0).replace(b": 0,", b":" + b"9" * 4000 + b",")), "answer"),
    "a negative number": (frame(cell(id=-1)), "answer"),
    "a number without end": (frame(cell(id=1 << 53)), "answer"),
    "a number that is true": (frame(cell(id=True)), "answer"),
    "an id that is true": (frame(cell(id=True)), "answer"),
    "an id with a fraction": (frame(cell(id=1.5)), "answer"),
    "100,000 deep": (frame(b"[" * 100_000), "values"),
    "30,000 deep in an unknown field": (frame(b'{"x":' + b"[" * 30_000), "json"),
    "30 deep": (frame(b"[" * 30 + b"]" * 30), "answer"),
    "deep by another bracket": (frame(b'{"op":' * 30 + b"1" + b"}" * 30), "answer"),
    "deep inside a message": (frame(cell(outputs=[[[[]]]])), "answer"),
    "many values": (frame(cell(outputs=[0] * 60_000)), "values"),
    "many keys": (outputs({"output_type": "display_data", "data": {str(k): "" for k in range(60_000)}}), "values"),
    "a list": (frame(b"[]"), "answer"),
    "no kind": (frame(b"{}"), "answer"),
    "unknown kind": (frame(b'{"op":"eval"}'), "answer"),
    "unknown field": (frame(cell(more=1)), "answer"),
    "field of another message": (frame(cell(arrays=[])), "answer"),
    "no status": (frame(b'{"op":"cell","id":1,"outputs":[]}'), "answer"),
    "a status of this side": (frame(cell(status="died")), "answer"),
    "a kind of failure of this side": (frame(case(kind="unrun")), "answer"),
    "a long text": (frame(case(text="x" * 5001)), "answer"),
    "a long name": (frame(case(name="x" * 201)), "answer"),
    "many changed arguments": (frame(case(changed=[0] * 101)), "answer"),
    "a changed argument before the first": (frame(case(changed=[-1])), "answer"),
    "an ending with a long text": (
        frame(json.dumps({"op": "done", "id": 1, "status": "ok", "printed": "x" * 10_001}).encode()),
        "answer",
    ),
    "an output of no kind": (outputs({"output_type": "html", "text": "<script>"}), "answer"),
    "an output that is a number": (outputs(3), "answer"),
    "a third stream": (outputs({"output_type": "stream", "name": "log", "text": ""}), "answer"),
    "text that is a number": (outputs({"output_type": "stream", "name": "stdout", "text": 3}), "answer"),
    "markup that is a number": (outputs({"output_type": "display_data", "data": {"text/plain": 3}}), "answer"),
    "data with metadata": (outputs({"output_type": "display_data", "data": {}, "metadata": {}}), "answer"),
    "a long traceback": (outputs({"output_type": "error", "ename": "", "evalue": "", "traceback": [""] * 101}), "answer"),
    "a long line": (outputs({"output_type": "error", "ename": "", "evalue": "", "traceback": ["x" * 10_001]}), "answer"),
    "a long exception": (outputs({"output_type": "error", "ename": "x" * 1001, "evalue": "", "traceback": []}), "answer"),
    "array that is not there": (frame(case("y")), "value"),
    "array without a name": (frame(case(), ONE), "value"),
    "array of a cell": (frame(cell(), ONE), "value"),
    "two arrays of one name": (frame(case("y", "y"), ONE, ONE), "value"),
    "one array for two names alike": (frame(case("y", "y"), ONE), "value"),
    "array by a number": (frame(case().replace(b"[]", b"[0]"), ONE), "answer"),
    "objects": (array(header("|O"), bytes(8)), "npy"),
    "strings": (array(header("<U1"), bytes(4)), "npy"),
    "complex": (array(header("<c16"), bytes(16)), "npy"),
    "big-endian": (array(header(">f8"), bytes(8)), "npy"),
    "structured": (array("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }", bytes(8)), "npy"),
    "a call in the header": (array(header(shape="(__import__('os').getpid(),)")), "npy"),
    "a comment in the header": (array(header() + "#", bytes(8)), "npy"),
    "version 2": (array(header(), bytes(8), b"\x02\x00"), "npy"),
    "a long header": (array(header() + " " * 1000, bytes(8)), "npy"),
    "negative length": (array(header(shape="(-1,)"), bytes(8)), "npy"),
    "a terabyte": (array(header(shape="(99999999999,)")), "size"),
    "empty but vast": (array(header(shape="(0, 99999999, 99999999, 99999999)")), "size"),
    "nine dimensions": (array(header(shape=f"({'1, ' * 8}1)"), bytes(8)), "npy"),
    "too few bytes": (array(header(shape="(2,)"), bytes(8)), "npy"),
    "too many bytes": (array(header(), bytes(9)), "npy"),
    "boolean 2": (array(header("|b1"), b"\x02"), "npy"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    data, reason = REFUSED[name]
    with pytest.raises(FrameError) as caught:
        wire.decode(data)
    assert caught.value.reason == reason
    assert str(caught.value).startswith(reason)
    assert len(str(caught.value)) < 300


def test_a_refusal_quotes_little_and_on_one_line() -> None:
    with pytest.raises(FrameError) as caught:
        wire.decode(frame(cell(**{"right\n" * 1000: 1})))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_limits_are_those_given() -> None:
    limits = FrameLimits(body=150, arrays=2, array_bytes=1000, elements=20, values=16, dimensions=1)
    decode_arrays({"a": np.ones(10), "b": np.ones(10)}, limits)
    for named, reason in (
        ({"x" * 150: np.ones(1)}, "size"),
        ({str(k): np.ones(6) for k in range(3)}, "size"),
        ({"a": np.ones(11), "b": np.ones(11)}, "size"),
        ({"a": np.ones(20, "<f8"), "b": np.ones(100, "<f8")}, "size"),
        ({"a": np.ones((2, 2))}, "npy"),
    ):
        with pytest.raises(FrameError) as caught:
            decode_arrays(named, limits)
        assert caught.value.reason == reason, named
    with pytest.raises(FrameError, match=r"^values"):
        wire.decode(frame(b"[" + b"0," * 20 + b"0]"), limits)


def test_announced_lengths_allocate_nothing() -> None:
    wide = FrameLimits(body=1 << 31, array_bytes=1 << 40, elements=1 << 40)
    announcing = [
        struct.pack("<4sII", b"SNF1", (1 << 31) - 1, 0),
        frame(case("y"), b"")[:-8] + struct.pack("<Q", 1 << 39),
        array(header(shape="(9999999999,)")),
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


@pytest.mark.parametrize(
    "frames",
    [
        20_000,
        pytest.param(200_000, marks=pytest.mark.slow),
        pytest.param(2_000_000, marks=pytest.mark.soak),
    ],
)
def test_fuzz_finds_nothing(frames: int) -> None:
    found = fuzz.fuzz(frames, seed=int(os.environ.get("FUZZ_SEED", "1")))
    assert sum(found["outcomes"].values()) == frames
    assert {"ok", "answer", "closed", "json", "npy", "size", "value", "magic"} <= set(found["outcomes"])


def test_fuzz_stays_within_its_memory() -> None:
    """64 times the largest frame of the fuzz; the decoder's own copies are a few of it."""
    assert fuzz.peak_bytes(1500, seed=2) < 64 * (fuzz.SMALL.body + fuzz.SMALL.array_bytes)


def test_fuzz_command_runs_under_a_memory_limit() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.autograder.isolation.fuzz", "--frames", "2000", "--seed", "3"],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert json.loads(done.stdout)["frames"] == 2000
