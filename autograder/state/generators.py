"""The global random generators."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any, NamedTuple


class Generator(NamedTuple):
    """A global random generator: its state, and how to set it."""

    state: Any
    put: Callable[[Any], object]

    @property
    def mark(self) -> bytes:
        """The state as bytes, to be compared."""
        if isinstance(self.state, tuple):
            return b"".join(getattr(one, "tobytes", repr(one).encode)() for one in self.state)
        return bytes(self.state.numpy().tobytes())


def generators() -> dict[str, Generator]:
    found = {"random": Generator(random.getstate(), random.setstate)}
    if (np := sys.modules.get("numpy")) is not None:
        found["numpy"] = Generator(np.random.get_state(), np.random.set_state)
    if (torch := sys.modules.get("torch")) is not None:
        generator = torch.default_generator
        found["torch"] = Generator(generator.get_state(), generator.set_state)
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
