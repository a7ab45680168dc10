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
from typing import Any

from . import wire
from .messages import Message, Ready
from .sandbox import IsolationError
from .wire import FrameError

__all__ = ["Link"]

_FORK_SECONDS = 20.0


class Link:
    """The supervisor's end of one worker: its socket, a descriptor of its process, and how it ended."""

    def __init__(self, connection: socket.socket, status: socket.socket, limits: wire.FrameLimits) -> None:
        self.connection, self.status, self.limits = connection, status, limits
        self.process: int | None = None
        self.peak_kb = 0

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
            if not isinstance(self.receive(time.monotonic() + _FORK_SECONDS)[0], Ready):
                raise FrameError("start", "the worker did not say that it is ready")
        except (OSError, ValueError, FrameError) as error:
            ended = self.end(kill=True)
            raise IsolationError(f"a worker could not be enclosed: {ended.get('failed') or error}") from error

    def send(self, request: dict[str, Any], deadline: float) -> None:
        """Send a request.

        Raises:
            TypeError: it is not plain data.
            FrameError: the worker does not take it in time, or is gone.
        """
        data = wire.encode_request(request)
        self.connection.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            self.connection.sendall(data)
        except OSError as error:
            raise FrameError(
                "timeout" if isinstance(error, TimeoutError) else "closed", str(error)
            ) from error

    def receive(self, deadline: float) -> tuple[Message, dict[str, Any]]:
        """Read one frame: a message and, of a case, its arrays by name.

        Raises:
            FrameError: it breaks the protocol, does not come in time, or the worker is gone.
        """

        def read(count: int) -> bytes:
            parts = []
            while count:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise FrameError("timeout", "no answer in time")
                self.connection.settimeout(left)
                try:
                    part = self.connection.recv(count)
                except TimeoutError as error:
                    raise FrameError("timeout", "no answer in time") from error
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
