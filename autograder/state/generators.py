"""The global random generators."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any, NamedTuple


class Generator(NamedTuple):
    """A global random generator: its state, the same as bytes, and how to set it."""

    state: Any
    mark: bytes
    put: Callable[[Any], object]


def generators() -> dict[str, Generator]:
    plain = random.getstate()
    found = {"random": Generator(plain, repr(plain).encode(), random.setstate)}
    if (np := sys.modules.get("numpy")) is not None:
        state = np.random.get_state()
        mark = state[1].tobytes() + repr((state[0], *state[2:])).encode()
        found["numpy"] = Generator(state, mark, np.random.set_state)
    if (torch := sys.modules.get("torch")) is not None:
        tensor = torch.default_generator.get_state()
        found["torch"] = Generator(tensor, tensor.numpy().tobytes(), torch.default_generator.set_state)
    return found


def seed(number: int) -> None:
    """Seed the global generators.

    Of torch only the processor's: ``torch.manual_seed`` would note down, for every kind of accelerator, who called it,
    which takes longer than most calls.
    """
    random.seed(number)
    if (np := sys.modules.get("numpy")) is not None:
        np.random.seed(number)
    if (torch := sys.modules.get("torch")) is not None:
        torch.default_generator.manual_seed(number)
