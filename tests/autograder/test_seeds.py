"""Seeds follow from the course's secret and the student, and the secret is made once."""

from __future__ import annotations

import pytest

from autograder.seeds import course_secret, student_seed


def test_seeds_depend_on_secret_and_student():
    secret = b"0" * 32
    seeds = {student_seed(secret, f"student{k}") for k in range(100)}
    assert len(seeds) == 100
    assert student_seed(secret, "student1") == student_seed(secret, "student1")
    assert student_seed(secret, "student1") != student_seed(b"1" * 32, "student1")
    assert max(seeds) < 1 << 48
    with pytest.raises(ValueError, match="at least 16"):
        student_seed(b"short", "student1")


def test_the_secret_is_made_once_and_private(tmp_path):
    file = tmp_path / "new" / "secret"
    first = course_secret(file)
    assert course_secret(file) == first
    assert len(first) == 32
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_holds_no_secret_is_named(tmp_path):
    (tmp_path / "secret").write_text("password")
    with pytest.raises(ValueError, match="secret does not hold a secret"):
        course_secret(tmp_path / "secret")
