"""Fixtures and tiers of the tests, for `tests/` and for the tests that live beside a problem set in `solutions/`."""

pytest_plugins = ["tests.needs", "tests.fixtures", "tests.tiers"]
