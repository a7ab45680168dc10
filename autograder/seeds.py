"""The seeds that students' inputs are drawn from, and the course's secret behind them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from autograder.files import make_once


def student_seed(secret: bytes, student: str) -> int:
    """The seed of a student's inputs, from the course's secret; each question draws its own from it.

    Args:
        secret: known to the instructor only, at least 16 bytes.
        student: the student's identifier.

    Raises:
        ValueError: the secret is shorter.
    """
    if len(secret) < 16:
        raise ValueError(f"the secret has {len(secret)} bytes; expected at least 16")
    return int.from_bytes(hmac.digest(secret, student.encode(), hashlib.sha256)[:6], "big")


def course_secret(file: Path) -> bytes:
    """The secret of a course, made when there is none yet.

    Raises:
        OSError: the file cannot be read or written.
        ValueError: it holds something else.
    """
    text = make_once(file, f"{secrets.token_hex(32)}\n".encode())
    try:
        return bytes.fromhex(text.decode().strip())
    except ValueError:
        raise ValueError(f"{file} does not hold a secret: expected hexadecimal digits") from None
