"""Label files of DVS Gesture: which stretch of a recording shows which gesture."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

__all__ = ["GestureTrial", "read_gesture_labels"]


@dataclass(frozen=True)
class GestureTrial:
    """One line of a DVS Gesture label file: label 1 to 11, first microsecond, first microsecond after it."""

    label: int
    start: int
    stop: int


def read_gesture_labels(path: str | Path) -> list[GestureTrial]:
    """Read a DVS Gesture label file, ``class,startTime_usec,endTime_usec`` and one line a trial.

    Args:
        path: A file ``userNN_LIGHT_labels.csv``.

    Returns:
        The trials in the order of the file.

    Raises:
        ValueError: if a line is not three integers, a label is not 1 to 11 or a trial does not last; names the line.

    Source: Amir et al., CVPR 2017, data-set description.
    """
    with open(path, newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    if not lines or [cell.strip() for cell in lines[0]] != ["class", "startTime_usec", "endTime_usec"]:
        raise ValueError(
            f"{path} line 1 is {','.join(lines[0]) if lines else 'missing'!r}; expected "
            "'class,startTime_usec,endTime_usec': is this a DVS Gesture label file?"
        )
    trials = []
    for number, cells in enumerate(lines[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            label, start, stop = (int(cell) for cell in cells)
        except ValueError:
            raise ValueError(
                f"{path} line {number} is {','.join(cells)!r}; expected three integers"
            ) from None
        if not 1 <= label <= 11 or not 0 <= start < stop:
            raise ValueError(
                f"{path} line {number} is {','.join(cells)!r}; expected class 1 to 11 and start < end"
            )
        trials.append(GestureTrial(label, start, stop))
    return trials
