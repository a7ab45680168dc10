"""Event records of 40 bits: column, row, polarity and time."""

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call
from snnkit import events


def columns(answer, raw, wanted):
    """Those of the four columns that the case is about; where it is about all, also how many of them are arrays."""
    import numpy as np

    x, y, p, t = answer["decode_events"](raw.tobytes())
    found = {"x": x, "y": y, "p": p, "t": t}
    count = sum(type(column) is np.ndarray for column in found.values())
    return {name: found[name] for name in wanted} | ({"NumPy arrays": count} if len(wanted) == 4 else {})


def refusal(answer, raw):
    try:
        answer["decode_events"](raw.tobytes())
    except ValueError:
        return {"refused": True}
    return {"refused": False}


def record(x, y, p, t):
    """Records of five bytes, as one array of bytes."""
    rows = [x, y, (p << 7) | (t >> 16), (t >> 8) & 255, t & 255]
    return np.stack(rows, 1).astype(np.uint8).reshape(-1)


def cases(rng):
    t = np.sort(rng.integers(0, 1 << 23, 40))
    mixed = record(rng.integers(0, 34, 40), rng.integers(0, 34, 40), rng.integers(0, 2, 40), t)
    three, last = np.arange(3), (1 << 23) - 1
    corners = record(*map(np.array, ([0, 255, 1], [255, 0, 2], [1, 0, 1], [0, last, last])))
    # Its bytes are told apart: the third is even (the polarity is 1), the last two are odd.
    late_time = int(rng.integers(1 << 17, 1 << 23) & ~(1 << 16) | 257)
    late = record(*(np.array([one]) for one in (7, 30, 1, late_time)))
    hand = np.array([0x0F, 0x14, 0x82, 0x49, 0xF0], dtype=np.uint8)
    early = record(three, three, three % 2, 100 + three)
    for group, label, raw, wanted in (
        ("place", "40 events", mixed, ("x", "y")),
        ("polarity", "40 events", mixed, ("p",)),
        ("time", "40 events", mixed, ("t",)),
        ("place", "columns and rows up to 255", corners, ("x", "y")),
        ("polarity", "the smallest and the largest times", corners, ("p",)),
        ("time", "the smallest and the largest times", corners, ("t",)),
        ("time", "the record of the book, 0F 14 82 49 F0", hand, ("t",)),
        ("time", "times below 256", early, ("t",)),
        ("edges", "no bytes", mixed[:0], ("x", "y", "p", "t")),
        ("edges", "one record", late, ("x", "y", "p", "t")),
    ):
        yield Case(group, label, call(columns, raw=raw, wanted=wanted), whole=True)
    yield Case("edges", "two bytes too few", call(refusal, raw=mixed[:-2]))
    yield Case("edges", "one byte", call(refusal, raw=mixed[:1]))


def decoder(**wrong):
    """The library's columns, but for those that are ``wrong``, made of the bytes [events, 5]."""

    def decode(raw):
        right = events.decode_nmnist(raw)
        rows = np.frombuffer(raw, np.uint8).reshape(-1, 5).astype(np.int64)
        return tuple(wrong[name](rows) if name in wrong else getattr(right, name) for name in "xypt")

    return {"decode_events": decode}


QUESTION = Question(
    "ps1.event_records",
    "Forty bits an event",
    (
        Group("place", 0.5, "column and row"),
        Group("polarity", 0.75, "polarity"),
        Group("time", 1.0, "time in microseconds"),
        Group("edges", 0.75, "no event, one event, and bytes that were cut short"),
    ),
    cases,
    decoder(),
    tensors=False,
    facts={"refused": ("no ValueError was raised", "a ValueError was raised")},
    within=Tolerance(0.0, 1e-9, "whole numbers"),
    slips=(
        Slip(
            "place_swapped",
            "Column and row are swapped: the first byte is x.",
            decoder(x=lambda b: b[:, 1], y=lambda b: b[:, 0]),
        ),
        Slip(
            "polarity_from_the_lowest_bit",
            "This is the lowest bit of the third byte, which belongs to the time. The polarity is its highest bit.",
            decoder(p=lambda b: b[:, 2] & 1),
        ),
        Slip(
            "polarity_turned",
            "ON and OFF are turned round: a set bit is ON, 1.",
            decoder(p=lambda b: 1 - (b[:, 2] >> 7)),
        ),
        Slip(
            "polarity_not_shifted",
            "This is 128 for ON: the bit was masked and not moved down.",
            decoder(p=lambda b: b[:, 2] & 128),
        ),
        Slip(
            "time_with_polarity",
            "The times of ON events are 8.4 seconds too late: the polarity bit was read as a part of the time. Mask it "
            "with & 0x7F.",
            decoder(t=lambda b: (b[:, 2] << 16) | (b[:, 3] << 8) | b[:, 4]),
        ),
        Slip(
            "time_of_16_bits",
            "The time is made of the last two bytes only and starts anew every 65 milliseconds. Its seven highest bits are "
            "in the third byte.",
            decoder(t=lambda b: (b[:, 3] << 8) | b[:, 4]),
        ),
        Slip(
            "little_endian",
            "The bytes of the time are put together in the wrong order: the most significant comes first.",
            decoder(t=lambda b: (b[:, 4] << 16) | (b[:, 3] << 8) | (b[:, 2] & 127)),
        ),
        Slip(
            "byte_overflow",
            "Only the last byte of the time is left: an array of bytes (uint8) has 8 bits, and what is shifted beyond them "
            "is lost. Turn it into wider integers first: `.astype(np.int64)`.",
            decoder(t=lambda b: b[:, 4]),
        ),
        Slip(
            "not_arrays",
            "Four NumPy arrays were asked for, and some of these are not: `np.array(...)` makes one of a list.",
            seen=lambda got, asked: "NumPy arrays" in got and bool(got["NumPy arrays"] < 4),
        ),
        Slip(
            "cut_short_accepted",
            "Bytes that are not whole records were decoded as if nothing were amiss. Raise a ValueError when their number "
            "is not a multiple of 5.",
            seen=lambda got, asked: "refused" in got,
        ),
    ),
    hints=(
        "Write the third byte of the book's example in binary. Which of its bits is the polarity, and which seven belong "
        "to the time?",
        "`rows = np.frombuffer(raw, np.uint8).reshape(-1, 5)` has one record in each row. `>> 7` leaves the highest bit of "
        "a byte, `& 0x7F` the seven others. A byte cannot hold more than 255: use wider integers before you shift up.",
        "`b = np.frombuffer(raw, np.uint8).reshape(-1, 5).astype(np.int64)`, then `p = b[:, 2] >> 7` and "
        "`t = (b[:, 2] & 0x7F) << 16 | b[:, 3] << 8 | b[:, 4]`, after `if len(raw) % 5: raise ValueError(...)`.",
    ),
    withheld=(
        "snnkit.events.decode_nmnist",
        "snnkit.events.iter_nmnist",
        "snnkit.events.read_nmnist",
    ),
)
