"""The supervisor's end of one worker: requests go out, frames come back, and how its process ended is told.

What comes back may have been forged by a student's code; it is read by :mod:`wire`, never unpickled or evaluated.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import wire
from .messages import Message, Ready
from .sandbox import IsolationError
from .timing import Budget
from .wire import FrameError

__all__ = ["Link", "Watch"]

#: Seconds that may pass until a worker is there: it is waited for, whatever else the machine does meanwhile.
_FORK_SECONDS = 300.0
#: Longest wait between two looks at a worker's clock.
_LOOK_SECONDS = 0.5


class Watch:
    """How long one request has taken so far: processor time of the worker, which it cannot forge, and time that passed.

    Args:
        clock: tells processor time.
        budget: what it may take.
        grace: processor time beyond it until it is given up.
    """

    def __init__(self, clock: Callable[[], float], budget: Budget, grace: float = 0.0) -> None:
        self.clock, self.budget, self.grace = clock, budget, grace
        self.begun, self.began = clock(), time.monotonic()

    def note(self) -> None:
        """Write down in the budget what it took so far."""
        self.budget.used, self.budget.passed = self.clock() - self.begun, time.monotonic() - self.began

    def look(self) -> float:
        """How many seconds it may be waited for until the next look.

        Raises:
            FrameError: it took too long.
        """
        self.note()
        left = self.budget.seconds + self.grace - self.budget.used
        time_left = self.budget.clock + self.grace - self.budget.passed
        if left < 0 or time_left < 0:
            raise FrameError("timeout", f"it {self.budget}")
        return max(0.01, min(left / (os.cpu_count() or 1), time_left, _LOOK_SECONDS))


class Link:
    """The supervisor's end of one worker: its socket, a descriptor of its process, and how it ended."""

    def __init__(self, connection: socket.socket, status: socket.socket, limits: wire.FrameLimits) -> None:
        self.connection, self.status, self.limits = connection, status, limits
        self.process: int | None = None
        self.peak_kb = 0
        self._clock = 0.0

    def clock(self) -> float:
        """Processor seconds of the worker since its start, in all its threads; the last that was seen when it is gone."""
        with contextlib.suppress(OSError, ValueError, StopIteration):
            lines = Path(f"/proc/self/fdinfo/{self.process}").read_text().splitlines()
            pid = int(next(line for line in lines if line.startswith("Pid:")).split()[1])
            if pid > 0:
                self._clock = time.clock_gettime((~pid << 3) | 2)  # as clock_getcpuclockid(3) makes it
        return self._clock

    def start(self) -> None:
        """Wait until the worker is in its cage.

        Raises:
            IsolationError: a layer could not be entered.
        """
        self.status.settimeout(_FORK_SECONDS)
        try:
            data, descriptors, _, _ = socket.recv_fds(self.status, 1 << 16, 1)
            self.process = descriptors[0] if descriptors else None
            if not data:
                raise FrameError("closed", "the warm parent hung up")
            if not isinstance(self.receive(Watch(lambda: 0.0, Budget(1, _FORK_SECONDS)))[0], Ready):
                raise FrameError("start", "the worker did not say that it is ready")
        except (OSError, ValueError, FrameError) as error:
            ended = self.end(kill=True)
            raise IsolationError(f"a worker could not be enclosed: {ended.get('failed') or error}") from error

    def send(self, request: dict[str, Any], watch: Watch) -> None:
        """Send a request.

        Raises:
            TypeError: it is not plain data.
            FrameError: the worker does not take it in time, or is gone.
        """
        left = memoryview(wire.encode_request(request))
        while left:
            self.connection.settimeout(watch.look())
            try:
                left = left[self.connection.send(left) :]
            except TimeoutError:
                continue
            except OSError as error:
                raise FrameError("closed", str(error)) from error

    def receive(self, watch: Watch) -> tuple[Message, dict[str, Any]]:
        """Read one frame: a message and, of a case, its arrays by name.

        Raises:
            FrameError: it breaks the protocol, does not come in time, or the worker is gone.
        """

        def read(count: int) -> bytes:
            parts = []
            while count:
                self.connection.settimeout(watch.look())
                try:
                    part = self.connection.recv(count)
                except TimeoutError:
                    continue
                except OSError as error:
                    raise FrameError("closed", str(error)) from error
                if not part:
                    raise FrameError("closed", "the worker hung up")
                parts.append(part)
                count -= len(part)
            return b"".join(parts)

        return wire.read_frame(read, self.limits)

    def end(self, *, kill: bool) -> dict[str, Any]:
        """Kill the worker if asked to, wait for its end, and tell how it ended (``code``: exit code or -signal)."""
        if kill and self.process is not None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self.process, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()
        ended: dict[str, Any] = {}
        self.status.settimeout(5.0)
        with contextlib.suppress(OSError, ValueError):
            while data := self.status.recv(1 << 16):
                ended.update(json.loads(data))
        self.status.close()
        if self.process is not None:
            os.close(self.process)
            self.process = None
        return ended
