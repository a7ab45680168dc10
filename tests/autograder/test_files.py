"""Files are whole whatever happens, private ones private, and the digest tells parts apart."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from autograder.files import digest, file_digest, make_once, write_if_changed, write_whole


def test_a_file_is_written_once_for_one_content(tmp_path):
    place = tmp_path / "new" / "folder" / "file"
    assert write_if_changed(place, b"one")
    stamp = place.stat().st_mtime_ns
    assert not write_if_changed(place, b"one")
    assert place.stat().st_mtime_ns == stamp
    assert write_if_changed(place, b"two", durable=True)
    assert place.read_bytes() == b"two"
    assert [path.name for path in place.parent.iterdir()] == ["file"]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "taken" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="taken"):
        write_whole(tmp_path / "taken", b"a file where a folder is")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_reader_never_sees_half_a_file(tmp_path):
    place, contents = tmp_path / "file", [bytes([letter]) * 300_000 for letter in b"abcdefgh"]
    write_whole(place, contents[0])
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write_whole, place, content) for content in contents * 5]
        seen = [place.read_bytes() for _ in range(200)]
    assert all(one.result() is None for one in writing)
    assert all(one in contents for one in seen)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_first_of_many_makes_a_private_file(tmp_path):
    place = tmp_path / "private" / "secret"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda number: make_once(place, b"%d" % number), range(50)))
    assert found == {place.read_bytes()}
    assert place.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in place.parent.iterdir()] == ["secret"]


def test_digests(tmp_path):
    assert digest([b"ab", b"c"]) != digest([b"a", b"bc"]) != digest([b"abc"])
    assert digest(iter([b"ab", b"c"])) == digest([b"ab", b"c"])
    (tmp_path / "file").write_bytes(b"abc" * 1000)
    told = subprocess.run(["sha256sum", tmp_path / "file"], capture_output=True, text=True, check=True)
    assert file_digest(tmp_path / "file") == told.stdout.split()[0]
