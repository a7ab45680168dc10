"""Event records, frames, file formats and the simulated camera."""

from __future__ import annotations

import ast
import importlib.util
import io
import itertools
import math
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnkit.events import (
    CIFAR10_DVS,
    DVS128,
    AddressLayout,
    Camera,
    Events,
    GestureTrial,
    decode_aedat2,
    decode_nmnist,
    encode_nmnist,
    frames_by_count,
    frames_by_time,
    iter_aedat2,
    iter_aedat3,
    iter_frames,
    iter_nmnist,
    read_aedat2,
    read_aedat3,
    read_gesture_labels,
    read_nmnist,
    resize,
    saccade_camera,
    saccade_path,
    write_aedat2,
    write_aedat3,
    write_nmnist,
)


def make(
    rng: np.random.Generator, size: int, width: int = 34, height: int = 34, end: int = 1 << 23
) -> Events:
    return Events(
        rng.integers(0, width, size).astype(np.int16),
        rng.integers(0, height, size).astype(np.int16),
        rng.integers(0, 2, size).astype(np.int8),
        np.sort(rng.integers(0, end, size)),
    )


def same(one: Events, other: Events) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in "xypt")


def peer_functions(
    package: str, file: str, names: set[str], space: dict[str, Any]
) -> dict[str, Callable[..., Any]]:
    """Take single functions from a file of an installed package that cannot be imported beside CPU torch."""
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    source = Path(found.origin).parent / file
    tree = ast.parse(source.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
    for node in tree.body:
        node.returns = None
        for argument in node.args.args:
            argument.annotation = None
    exec(compile(tree, str(source), "exec"), space)
    return {name: space[name] for name in names}


SPIKINGJELLY = peer_functions(
    "spikingjelly",
    "datasets/utils.py",
    {
        "load_ATIS_bin",
        "load_aedat_v3",
        "integrate_events_segment_to_frame",
        "cal_fixed_frames_number_segment_index",
        "integrate_events_by_fixed_frames_number",
        "integrate_events_by_fixed_duration",
    },
    {"np": np, "struct": struct, "math": math},
)

events_strategy = st.builds(
    lambda seed, size, end: make(np.random.default_rng(seed), size, end=end),
    st.integers(0, 2**32 - 1),
    st.integers(0, 300),
    st.sampled_from([1, 5, 40, 1000, 300_000, 1 << 23]),
)


# --- Events -----------------------------------------------------------------------------------------------------


def test_events_select_and_join() -> None:
    events = make(np.random.default_rng(1), 50, end=1000)
    assert len(events) == events.size == 50
    assert events.duration == events.t[-1] - events.t[0]
    middle = events.between(200, 700)
    assert np.array_equal(middle.t, events.t[(events.t >= 200) & (events.t < 700)])
    assert same(Events.concatenate([events[:20], events[20:]]), events)
    assert same(events[events.p == 1], events[np.flatnonzero(events.p)])
    assert Events.concatenate([]).size == 0
    assert Events.empty().duration == 0
    assert Events.concatenate([events]) is events


def test_events_reject_bad_arrays() -> None:
    good = np.zeros(3, np.int16)
    with pytest.raises(TypeError, match=r"Events\.t must hold integers; got dtype float64"):
        Events(good, good, good, np.zeros(3))
    with pytest.raises(ValueError, match=r"Events\.p must have shape \(3,\) like x; got \(2,\)"):
        Events(good, good, good[:2], good)
    with pytest.raises(ValueError, match=r"Events\.x must have shape \(4,\)"):
        Events(good.repeat(2).reshape(2, 3)[:, :2], good, good, good)
    with pytest.raises(TypeError, match="a slice, a mask or an index array; got int"):
        Events(good, good, good, good)[0]  # type: ignore[index]


# --- N-MNIST ----------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 1), st.integers(0, (1 << 23) - 1)),
        max_size=40,
    )
)
def test_nmnist_bytes_are_the_forty_bits(rows: list[tuple[int, int, int, int]]) -> None:
    rows.sort(key=lambda row: row[3])
    expected = b"".join(((x << 32) | (y << 24) | (p << 23) | t).to_bytes(5, "big") for x, y, p, t in rows)
    columns = np.array(rows, np.int64).reshape(-1, 4)
    events = Events(*columns.T)
    assert encode_nmnist(events) == expected
    assert same(decode_nmnist(expected), events)


def test_nmnist_decoder_agrees_with_spikingjelly(tmp_path: Path) -> None:
    events = make(np.random.default_rng(2), 500)
    write_nmnist(tmp_path / "a.bin", events)
    peer = SPIKINGJELLY["load_ATIS_bin"](tmp_path / "a.bin")
    assert same(read_nmnist(tmp_path / "a.bin"), Events(peer["x"], peer["y"], peer["p"], peer["t"]))


def test_nmnist_times_and_coordinates_can_be_subtracted() -> None:
    events = decode_nmnist(encode_nmnist(Events(*np.array([[3, 1], [2, 5], [0, 1], [10, 20]]))))
    assert (2 * events.p - 1).tolist() == [-1, 1]
    assert (events.t - 15).tolist() == [-5, 5]
    assert (events.x - events.y).tolist() == [1, -4]


@pytest.mark.parametrize(("size", "remainder"), [(4, 4), (7, 2), (5001, 1)])
def test_truncated_record_names_file_size_and_remainder(tmp_path: Path, size: int, remainder: int) -> None:
    path = tmp_path / "cut.bin"
    path.write_bytes(bytes(size))
    with pytest.raises(
        ValueError, match=rf"cut\.bin has {size} bytes, {remainder} more than .* fetch or copy it"
    ):
        read_nmnist(path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("x", 256, "x of event 1 is 256; expected 0 to 255"),
        ("y", -1, "y of event 1 is -1; expected 0 to 255"),
        ("p", 2, "p of event 1 is 2; expected 0 to 1"),
        ("t", 1 << 23, "t of event 1 is 8388608; expected 0 to 8388607"),
    ],
)
def test_nmnist_refuses_what_does_not_fit(tmp_path: Path, field: str, value: int, message: str) -> None:
    arrays = {name: np.array([0, 1, 1], np.int64) for name in "xypt"}
    arrays[field][1] = value
    arrays["t"].sort() if field != "t" else None
    with pytest.raises(ValueError, match=message):
        write_nmnist(tmp_path / "bad.bin", Events(**arrays))
    assert list(tmp_path.iterdir()) == []


def test_nmnist_refuses_unsorted_times() -> None:
    zero = np.zeros(3, np.int64)
    with pytest.raises(ValueError, match="event 2 is at 4 us after 5 us"):
        encode_nmnist(Events(zero, zero, zero, np.array([1, 5, 4])))


def test_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    good = make(np.random.default_rng(3), 10)
    write_nmnist(path, good)
    with pytest.raises(ValueError, match="x of event 0"):
        write_nmnist(path, Events(good.x + 300, good.y, good.p, good.t))
    assert same(read_nmnist(path), good)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_atomic_write_cleans_up_after_an_interrupted_write(tmp_path: Path) -> None:
    from snnkit.events._events import write_atomically

    def fail(file: io.BufferedIOBase) -> None:
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(tmp_path / "a", fail)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_nmnist_stream_equals_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    events = make(np.random.default_rng(4), 1003)
    write_nmnist(path, events)
    parts = list(iter_nmnist(path, 100))
    assert [part.size for part in parts] == [100] * 10 + [3]
    assert same(Events.concatenate(parts), events)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(ValueError, match=r"a\.bin from byte 5000 has 13 bytes, 3 more"):
        list(iter_nmnist(path, 100))
    with pytest.raises(ValueError, match="chunk must be at least 1"):
        next(iter_nmnist(path, 0))


# --- frames -----------------------------------------------------------------------------------------------------


def loop_by_count(events: Events, steps: int, height: int, width: int) -> np.ndarray[Any, Any]:
    frames = np.zeros((steps, 2, height, width), np.int64)
    for i in range(events.size):
        each = events.size // steps
        frame = min(i // each, steps - 1) if each else steps - 1
        frames[frame, events.p[i], events.y[i], events.x[i]] += 1
    return frames


def loop_by_time(events: Events, steps: int, height: int, width: int) -> np.ndarray[Any, Any]:
    frames = np.zeros((steps, 2, height, width), np.int64)
    for i in range(events.size):
        start, length = int(events.t[0]), (int(events.t[-1]) - int(events.t[0])) // steps
        frame = min((int(events.t[i]) - start) // length, steps - 1) if length else steps - 1
        frames[frame, events.p[i], events.y[i], events.x[i]] += 1
    return frames


@given(events_strategy, st.integers(1, 12))
def test_frames_equal_a_plain_loop(events: Events, steps: int) -> None:
    assert np.array_equal(
        frames_by_count(events, steps, 34, 36, np.int64), loop_by_count(events, steps, 34, 36)
    )
    assert np.array_equal(
        frames_by_time(events, steps, 34, 36, np.int64), loop_by_time(events, steps, 34, 36)
    )


@given(events_strategy, st.integers(1, 12))
def test_frames_equal_spikingjelly(events: Events, steps: int) -> None:
    fields = {name: getattr(events, name) for name in "txyp"}
    integrate = SPIKINGJELLY["integrate_events_by_fixed_frames_number"]
    assert np.array_equal(frames_by_count(events, steps, 34, 34), integrate(fields, "number", steps, 34, 34))
    try:
        peer = integrate(fields, "time", steps, 34, 34)
    except IndexError:  # its cut by time fails on an empty bin, ours must not
        peer = loop_by_time(events, steps, 34, 34)
    assert np.array_equal(frames_by_time(events, steps, 34, 34), peer)


def test_empty_bins_give_empty_frames_where_spikingjelly_fails() -> None:
    zero = np.zeros(4, np.int64)
    events = Events(zero, zero, zero, np.array([0, 1, 98, 100]))
    fields = {name: getattr(events, name) for name in "txyp"}
    with pytest.raises(IndexError):
        SPIKINGJELLY["integrate_events_by_fixed_frames_number"](fields, "time", 4, 2, 2)
    assert frames_by_time(events, 4, 2, 2).sum((1, 2, 3)).tolist() == [2, 0, 0, 2]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.float32, np.float64])
def test_frames_of_large_sensors_and_all_types(dtype: type) -> None:
    events = make(np.random.default_rng(5), 2000, 128, 130)
    frames = frames_by_count(events, 3, 130, 128, dtype)
    assert frames.dtype == dtype
    assert frames.shape == (3, 2, 130, 128)
    assert np.array_equal(frames, loop_by_count(events, 3, 130, 128))


@pytest.mark.parametrize("count", [255, 256, 300, 512])
def test_a_count_that_does_not_fit_is_an_error_not_a_wrap(count: int) -> None:
    zero = np.zeros(count, np.int64)
    events = Events(zero, zero, zero, np.arange(count))
    assert frames_by_count(events, 1, 2, 2, np.uint16)[0, 0, 0, 0] == count
    if count <= 255:
        assert frames_by_count(events, 1, 2, 2)[0, 0, 0, 0] == count
        return
    for integrate in (frames_by_count, frames_by_time):
        with pytest.raises(
            OverflowError, match=f"a pixel counted {count} events in one frame, but uint8 counts to"
        ):
            integrate(events, 1, 2, 2)
    with pytest.raises(OverflowError, match=f"{count} events"):
        list(iter_frames([events], 1000, 2, 2, np.uint8))


def test_half_precision_stops_counting_at_2048() -> None:
    zero = np.zeros(2050, np.int64)
    with pytest.raises(OverflowError, match="2050 events in one frame, but float16 counts to 2048"):
        frames_by_count(Events(zero, zero, zero, zero), 1, 1, 1, np.float16)


def test_frames_reject_bad_arguments() -> None:
    events = make(np.random.default_rng(6), 20)
    with pytest.raises(ValueError, match="steps must be at least 1; got 0"):
        frames_by_count(events, 0, 34, 34)
    with pytest.raises(TypeError, match="steps must be an int"):
        frames_by_time(events, 2.0, 34, 34)  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match=r"x of event \d+ is \d+; expected 0 to 9: the sensor is 10 pixels wide"
    ):
        frames_by_count(events, 2, 34, 10)
    with pytest.raises(
        ValueError, match=r"y of event \d+ is \d+; expected 0 to 9: the sensor is 10 pixels high"
    ):
        frames_by_time(events, 2, 10, 34)
    with pytest.raises(ValueError, match="times must not decrease"):
        frames_by_time(events[::-1], 2, 34, 34)
    with pytest.raises(TypeError, match="integer or floating-point type; got bool"):
        frames_by_count(events, 2, 34, 34, bool)


@given(events_strategy.filter(lambda events: events.size > 0), st.integers(1, 60), st.integers(1, 40))
def test_streamed_frames_equal_spikingjelly_fixed_duration(events: Events, chunk: int, parts: int) -> None:
    duration = max(1, events.duration // parts)
    chunks = [Events.empty(), *(events[i : i + chunk] for i in range(0, events.size, chunk))]
    frames = list(iter_frames(chunks, duration, 34, 34))
    assert len(frames) == events.duration // duration + 1
    fields = {name: getattr(events, name) for name in "txyp"}
    if events.duration > 0:
        peer = SPIKINGJELLY["integrate_events_by_fixed_duration"](fields, duration, 34, 34)
        if (
            events.duration % duration == 0
        ):  # there the last event opens a frame of its own; the peer keeps it back
            frames[-2:] = [frames[-2] + frames[-1]]
        assert np.array_equal(np.stack(frames), peer)
    assert sum(int(frame.sum()) for frame in frames) == events.size


def test_streamed_frames_reject_steps_back_in_time() -> None:
    one = np.zeros(1, np.int64)
    chunks = [Events(one, one, one, one + 9), Events(one, one, one, one + 8)]
    with pytest.raises(ValueError, match="a chunk starts at 8 us after 9 us"):
        list(iter_frames(chunks, 10, 2, 2))
    assert list(iter_frames([], 10, 2, 2)) == []


# --- AEDAT ------------------------------------------------------------------------------------------------------


@given(
    st.integers(0, 2**32 - 1), st.sampled_from([DVS128, CIFAR10_DVS, AddressLayout(1, 8, flip_x=False, on=1)])
)
def test_address_layouts_invert(seed: int, layout: AddressLayout) -> None:
    events = make(np.random.default_rng(seed), 50, 128, 128)
    assert same(layout.decode(layout.encode(events), events.t.astype(np.uint32)), events)


def test_address_bits_of_the_two_layouts() -> None:
    # bits 14-8 = 3, bits 7-1 = 10, bit 0 = 0 (ON)
    word, time = np.array([(3 << 8) | (10 << 1)], np.uint32), np.array([7], np.uint32)
    one, other = DVS128.decode(word, time), CIFAR10_DVS.decode(word, time)
    assert (one.x[0], one.y[0], one.p[0], one.t[0]) == (117, 124, 1, 7)
    assert (other.x[0], other.y[0], other.p[0], other.t[0]) == (124, 117, 1, 7)


def test_aedat2_agrees_with_spikingjelly(tmp_path: Path) -> None:
    events = make(np.random.default_rng(7), 700, 128, 128, 1 << 31)
    path = tmp_path / "a.aedat"
    write_aedat2(path, events, CIFAR10_DVS)
    names = {
        "_read_bits",
        "_skip_header",
        "_load_raw_events",
        "_parse_raw_address",
        "_load_events",
        "_load_origin_data",
    }
    masks = {"x_mask": 0, "x_shift": 0, "y_mask": 0, "y_shift": 0, "polarity_mask": 0, "polarity_shift": 0}
    peer = peer_functions("spikingjelly", "datasets/cifar10_dvs.py", names, {"np": np, **masks})
    found = peer["_load_origin_data"](path)
    read = read_aedat2(path, CIFAR10_DVS)
    assert same(read, events)
    assert all(np.array_equal(getattr(read, name), found[name]) for name in "txyp")
    assert same(decode_aedat2(path.read_bytes(), CIFAR10_DVS), events)


def test_aedat2_skips_comments_and_special_events(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat"
    words = struct.pack(">6I", 0x0001, 5, 0x8001, 6, 0x0100, 7)
    path.write_bytes(b"#!AER-DAT2.0\r\n# made by hand\r\n# and more\n" + words)
    events = read_aedat2(path, DVS128)
    assert events.t.tolist() == [5, 7]
    assert events.p.tolist() == [0, 1]
    assert events.y.tolist() == [127, 126]


def test_aedat2_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat"
    path.write_bytes(b"#!AER-DAT3.1\r\n")
    with pytest.raises(ValueError, match=r"a\.aedat begins with .*AER-DAT3\.1.*expected b'#!AER-DAT2\.0'"):
        read_aedat2(path, DVS128)
    path.write_bytes(b"#!AER-DAT2.0\r\n" + bytes(13))
    with pytest.raises(
        ValueError, match=r"5 bytes after the last whole 8-byte event .data start at byte 14.*cut short"
    ):
        read_aedat2(path, DVS128)
    events = make(np.random.default_rng(8), 5, 128, 128, 1000)
    with pytest.raises(ValueError, match=r"x of event 0 is .*; expected 0 to 127"):
        write_aedat2(path, Events(events.x + 200, events.y, events.p, events.t), DVS128)
    with pytest.raises(ValueError, match="31 bits for microseconds"):
        write_aedat2(path, Events(events.x, events.y, events.p, events.t + (1 << 31)), DVS128)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 70), st.integers(1, 70))
def test_aedat3_round_trip_over_the_time_overflow(
    tmp_path_factory: pytest.TempPathFactory, seed: int, packet: int, chunk: int
) -> None:
    events = make(np.random.default_rng(seed), 200, 1 << 15, 1 << 15, 1 << 33)
    path = tmp_path_factory.mktemp("aedat3") / "a.aedat"
    write_aedat3(path, events, packet)
    parts = list(iter_aedat3(path, chunk))
    assert max(part.size for part in parts) <= min(chunk, packet)
    assert same(Events.concatenate(parts), events)
    peer = SPIKINGJELLY["load_aedat_v3"](path)
    assert all(np.array_equal(getattr(events, name), peer[name]) for name in "txyp")
    start, stop = 1 << 31, 3 << 31
    assert same(read_aedat3(path, start, stop), events.between(start, stop))


def packet_bytes(kind: int, records: bytes, size: int, count: int, capacity: int | None = None) -> bytes:
    header = struct.pack(
        "<hhiiiiii", kind, 1, size, 4, 0, count if capacity is None else capacity, count, count
    )
    return header + records


def test_aedat3_leaves_out_other_packets_and_invalid_events(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat"
    good = struct.pack("<Ii", (5 << 17) | (6 << 2) | 0b11, 10)
    invalid = struct.pack("<Ii", (5 << 17) | (6 << 2) | 0b10, 11)
    spare = bytes(8)  # capacity above the number of events
    body = packet_bytes(0, bytes(24), 12, 2) + packet_bytes(1, good + invalid + spare, 8, 2, 3)
    path.write_bytes(b"#!AER-DAT3.1\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n" + body)
    events = read_aedat3(path)
    assert [
        (int(a), int(b), int(c), int(d))
        for a, b, c, d in zip(events.x, events.y, events.p, events.t, strict=True)
    ] == [(5, 6, 1, 10)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"begins with b''; expected b'#!AER-DAT3\.1'"),
        (b"#!AER-DAT2.0\r\n", "it is in another format"),
        (b"#!AER-DAT3.1\r\n#Format: RAW\r\n", "no line #!END-HEADER before byte 28"),
        (b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + bytes(20), "ends inside a packet header at byte 28"),
        (
            b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + packet_bytes(1, bytes(8), 8, 2),
            "28 reaches to byte 72: it was cut",
        ),
        (
            b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + packet_bytes(1, bytes(8), 8, 2, 1),
            "corrupt packet header at byte 28",
        ),
        (
            b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + packet_bytes(1, bytes(16), 16, 1),
            "polarity events of 16 bytes",
        ),
    ],
)
def test_aedat3_errors(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.aedat"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_aedat3(path)


def test_streaming_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    events = make(np.random.default_rng(9), 400_000, 128, 128, 1 << 22)
    write_aedat2(tmp_path / "two", events, DVS128)
    write_aedat3(tmp_path / "three", events, packet=1 << 20)  # one packet: the chunk must bound it too
    write_nmnist(tmp_path / "atis", events)
    readers: dict[str, Callable[[], Any]] = {
        "two": lambda: iter_aedat2(tmp_path / "two", DVS128, 4096),
        "three": lambda: iter_aedat3(tmp_path / "three", 4096),
        "atis": lambda: iter_nmnist(tmp_path / "atis", 4096),
    }
    whole = frames_by_count(events, 1, 128, 128, np.uint16)[0]
    for name, reader in readers.items():
        sizes = [part.size for part in reader()]
        assert sum(sizes) == events.size
        assert max(sizes) <= 4096
        tracemalloc.start()
        total = sum(frame.astype(np.int64) for frame in iter_frames(reader(), 1 << 20, 128, 128))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert np.array_equal(total, whole)
        assert peak < (tmp_path / name).stat().st_size / 1.5, name
        assert peak < 1.5e6, name


def test_gesture_labels(tmp_path: Path) -> None:
    path = tmp_path / "user01_led_labels.csv"
    path.write_text("class,startTime_usec,endTime_usec\n1,100,200\n11,200,350\n\n")
    assert read_gesture_labels(path) == [GestureTrial(1, 100, 200), GestureTrial(11, 200, 350)]
    for text, message in {
        "": "line 1 is 'missing'",
        "a,b\n": "line 1 is 'a,b'; expected 'class,startTime_usec,endTime_usec'",
        "class,startTime_usec,endTime_usec\n1,2\n": "line 2 is '1,2'; expected three integers",
        "class,startTime_usec,endTime_usec\n1,x,3\n": "line 2 is '1,x,3'; expected three integers",
        "class,startTime_usec,endTime_usec\n12,1,2\n": "line 2 is '12,1,2'; expected class 1 to 11",
        "class,startTime_usec,endTime_usec\n1,1,2\n2,9,9\n": "line 3 is '2,9,9'; expected class 1 to 11 and start < end",
    }.items():
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_gesture_labels(path)


# --- camera -----------------------------------------------------------------------------------------------------

images_strategy = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.floats(0, 1)
)


def pixel_by_pixel(image: np.ndarray[Any, Any], camera: Camera) -> list[tuple[int, int, int, int]]:
    """The same camera written as loops over pixels, looks and events."""
    side = camera.sensor
    start = np.random.default_rng(camera.seed)
    start.standard_normal((side, side))  # the draw of the mismatch, unused here
    offset = start.uniform(-0.5, 0.5, (side, side))
    looks = [i * camera.interval for i in range(3 * camera.saccade // camera.interval + 1)]
    corners = [(0.0, 0.0), (0.5, 1.0), (1.0, 0.0), (0.0, 0.0)]
    views = []
    for t in looks:
        k = min(t // camera.saccade, 2)
        s = t / camera.saccade - k
        s = 10 * s**3 - 15 * s**4 + 6 * s**5
        dx, dy = (
            (camera.sensor - camera.image)
            * (corners[k][axis] + s * (corners[k + 1][axis] - corners[k][axis]))
            for axis in (0, 1)
        )
        view = np.zeros((side, side))
        for row in range(side):
            for column in range(side):
                a, b = row - dy, column - dx
                for i in (math.floor(a), math.floor(a) + 1):
                    for j in (math.floor(b), math.floor(b) + 1):
                        if 0 <= i < camera.image and 0 <= j < camera.image:
                            view[row, column] += image[i, j] * (1 - abs(a - i)) * (1 - abs(b - j))
        views.append(np.log(camera.background + view))
    events = []
    for row in range(side):
        for column in range(side):
            levels = [(view[row, column] - views[0][row, column]) / camera.threshold for view in views]
            levels = [value + offset[row, column] for value in levels]
            held = 0
            for look, (old, new) in enumerate(itertools.pairwise(levels)):
                while abs(new - held) >= 1:
                    held += 1 if new > held else -1
                    t = (look + (held - old) / (new - old)) * camera.interval
                    events.append((int(t), column, row, int(new > old)))
    return sorted(events)


@pytest.mark.parametrize("seed", [0, 1])
def test_camera_equals_a_loop_over_pixels(seed: int) -> None:
    camera = Camera(sensor=8, image=6, interval=5_000, threshold=0.2, seed=seed)
    image = np.random.default_rng(seed).random((6, 6)) ** 2
    events = saccade_camera(image, camera)
    rows = sorted(zip(*(getattr(events, name).tolist() for name in "txyp"), strict=True))
    expected = pixel_by_pixel(image, camera)
    assert events.size > 100
    assert len(rows) == len(expected)
    # float rounding may move an event across a whole microsecond, and so past another one
    by_pixel = [sorted((x, y, p, t) for t, x, y, p in listed) for listed in (rows, expected)]
    assert [row[:3] for row in by_pixel[0]] == [row[:3] for row in by_pixel[1]]
    assert max(abs(a[3] - b[3]) for a, b in zip(*by_pixel, strict=True)) <= 1


@given(images_strategy, st.floats(0.05, 1.0), st.floats(0.0, 0.3))
def test_camera_tracks_the_scene_and_the_path_closes(
    image: np.ndarray[Any, Any], threshold: float, mismatch: float
) -> None:
    camera = Camera(threshold=threshold, mismatch=mismatch, interval=10_000)
    events = saccade_camera(image, camera)
    net = np.zeros((34, 34), np.int64)
    np.add.at(net, (events.y, events.x), 2 * events.p.astype(np.int64) - 1)
    # the scene ends as it began, so a pixel is at most one event away from as many ON as OFF
    assert np.abs(net).max() <= 1
    assert bool((np.diff(events.t) >= 0).all())
    assert events.size == 0 or (events.t[0] >= 0 and events.t[-1] <= 300_000)
    assert same(decode_nmnist(encode_nmnist(events)), events)


def test_camera_sees_nothing_in_a_black_field_and_noise_has_its_rate() -> None:
    black = np.zeros((28, 28))
    assert saccade_camera(black).size == 0
    noisy = saccade_camera(black, Camera(noise=20.0))
    expected = 20.0 * 34 * 34 * 0.3
    assert abs(noisy.size - expected) < 5 * math.sqrt(expected)
    assert abs(float(noisy.p.mean()) - 0.5) < 5 * 0.5 / math.sqrt(expected)
    assert noisy.x.max() == noisy.y.max() == 33
    assert bool((np.diff(noisy.t) >= 0).all())


def test_camera_is_deterministic_and_does_not_depend_on_the_batch() -> None:
    images = np.random.default_rng(10).random((20, 28, 28)) ** 4
    camera = Camera(noise=1.0, mismatch=0.1, interval=10_000)
    together = camera.record(images)
    alone = [saccade_camera(image, camera, number) for number, image in enumerate(images)]
    assert all(same(one, other) for one, other in zip(together, alone, strict=True))
    assert same(camera.record(images[3:5], first=3)[1], together[4])
    assert not same(saccade_camera(images[0], camera, 1), together[0])
    assert not same(saccade_camera(images[0], Camera(seed=1)), saccade_camera(images[0]))


def test_three_bursts_of_the_order_of_n_mnist() -> None:
    from sklearn.datasets import load_digits

    recordings = Camera().record(load_digits().images[:60] / 16)
    counts = np.array([events.size for events in recordings])
    assert counts.min() > 1_000
    assert counts.max() < 7_200
    assert 3_500 < counts.mean() < 5_000
    rate = np.bincount(np.concatenate([events.t for events in recordings]) // 10_000, minlength=30)
    for stroke in range(3):
        burst = rate[10 * stroke : 10 * stroke + 10]
        assert burst[4:6].mean() > 4 * max(burst[0], burst[9])
    on = np.concatenate([events.p for events in recordings]).mean()
    assert abs(on - 0.5) < 0.02


def test_path_is_a_triangle_with_rest_at_the_corners() -> None:
    columns, rows = saccade_path(np.array([0, 100, 200, 300]), 100, 6.0)
    assert columns.tolist() == [0, 3, 6, 0]
    assert rows.tolist() == [0, 6, 0, 0]
    t = np.array([50.0, 150.0, 250.0])
    columns, rows = saccade_path(t, 100, 6.0)
    assert np.allclose(columns, [1.5, 4.5, 3.0])
    assert np.allclose(rows, [3, 3, 0])
    speed = [
        np.hypot(
            *(b - a for a, b in zip(saccade_path(u, 100, 6.0), saccade_path(u + 1, 100, 6.0), strict=True))
        )
        for u in (0, 49.5, 99)
    ]
    assert speed[1] > 1000 * max(speed[0], speed[2])
    with pytest.raises(ValueError, match=r"t must lie in \[0, 300\] us; got 301"):
        saccade_path(301, 100, 6.0)


@given(images_strategy, st.integers(1, 40), st.integers(1, 40))
def test_resize_interpolates(image: np.ndarray[Any, Any], height: int, width: int) -> None:
    result = resize(image, height, width)
    assert result.shape == (height, width)
    assert result.min() >= image.min() - 1e-12
    assert result.max() <= image.max() + 1e-12
    assert np.allclose(resize(image, *image.shape), image)
    ramp = np.arange(8.0)[None].repeat(3, 0)
    inner = resize(ramp, 3, 16)[:, 1:-1]
    assert np.allclose(np.diff(inner), 0.5)


def test_camera_rejects_bad_input() -> None:
    image = np.zeros((28, 28))
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\]; got 0.0 to 16.0"):
        saccade_camera(image + 16 * np.eye(28))
    with pytest.raises(ValueError, match=r"images must lie in \[0, 1\]"):
        saccade_camera(image + np.nan)
    with pytest.raises(ValueError, match=r"image must have shape \[height, width\]; got \[1, 28, 28\]"):
        saccade_camera(image[None])
    with pytest.raises(ValueError, match=r"images must have shape \[N, height, width\]; got \[28, 28\]"):
        Camera().record(image)
    with pytest.raises(ValueError, match="image must not exceed the sensor of 20 pixels; got 28"):
        Camera(sensor=20)
    with pytest.raises(ValueError, match="saccade must be a multiple of interval"):
        Camera(interval=3_333)
    with pytest.raises(ValueError, match="three saccades must end before"):
        Camera(saccade=4_000_000)
    with pytest.raises(ValueError, match="threshold must be a positive finite number; got 0"):
        Camera(threshold=0.0)
    with pytest.raises(ValueError, match="mismatch must lie in"):
        Camera(mismatch=0.5)
    with pytest.raises(ValueError, match="at least two axes"):
        resize(np.zeros(3), 2, 2)


# --- real recordings --------------------------------------------------------------------------------------------


@pytest.mark.data
def test_real_nmnist_frames_equal_spikingjelly(data_root: Path, tmp_path: Path) -> None:
    integrate = SPIKINGJELLY["integrate_events_by_fixed_frames_number"]
    with zipfile.ZipFile(data_root / "nmnist" / "nmnist_small.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".bin")]
        assert len(names) == 1100
        for name in names[::20]:
            raw = archive.read(name)
            events = decode_nmnist(raw, name)
            assert encode_nmnist(events) == raw
            (tmp_path / "a.bin").write_bytes(raw)
            fields = SPIKINGJELLY["load_ATIS_bin"](tmp_path / "a.bin")
            assert all(np.array_equal(getattr(events, field), fields[field]) for field in "txyp")
            for cut, own in (("number", frames_by_count), ("time", frames_by_time)):
                assert np.array_equal(own(events, 20, 34, 34), integrate(fields, cut, 20, 34, 34))


@pytest.mark.data
def test_real_gestures_survive_both_aedat_formats(data_root: Path, tmp_path: Path) -> None:
    with np.load(data_root / "dvs128gesture" / "dvs128_gesture_4.npz") as file:
        t = int(file["hand_clapping_t0"]) + np.cumsum(file["hand_clapping_dt"].astype(np.int64))
        events = Events(file["hand_clapping_x"], file["hand_clapping_y"], file["hand_clapping_p"], t)
    assert events.size == 97_957
    write_aedat3(tmp_path / "a.aedat", events)
    assert same(read_aedat3(tmp_path / "a.aedat"), events)
    write_aedat2(tmp_path / "b.aedat", events, DVS128)
    assert same(read_aedat2(tmp_path / "b.aedat", DVS128), events)
