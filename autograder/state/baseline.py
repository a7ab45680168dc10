"""The state as the course ships it, and what is put in its place."""

from __future__ import annotations

import builtins
import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

from .generators import generators as all_generators
from .generators import seed
from .names import Change, changes, hooked, put, space_of_module, spaces
from .settings import AS_FOUND, SETTINGS, Setting


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # an array among matplotlib's settings, say
        return False


@contextlib.contextmanager
def _no_inference_mode() -> Iterator[bool]:
    """Yields whether it was on."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.is_inference_mode_enabled():
        yield False
        return
    with torch.inference_mode(False):
        yield True


@contextlib.contextmanager
def _no_figures() -> Iterator[None]:
    """No figure of pyplot is open inside; those that are made there are closed."""
    helpers = sys.modules.get("matplotlib._pylab_helpers")
    if helpers is None:
        yield
        return
    figures = helpers.Gcf.figs
    kept = dict(figures)
    figures.clear()
    try:
        yield
    finally:
        helpers.Gcf.destroy_all()
        figures.update(kept)


class _Found(NamedTuple):
    """What was found and what was put in its place, by name, and the names that were patched."""

    values: dict[str, Any]
    wanted: dict[str, Any]
    changes: list[Change]

    @property
    def differed(self) -> dict[str, Any]:
        """What was not as the course ships it, by name, as it was found."""
        other = {name: one for name, one in self.values.items() if not _same(one, self.wanted[name])}
        return other | {f"{one.space.name}.{one.key}": one.found for one in self.changes}


class Baseline:
    """The state as the course ships it.

    Taken when this is made, before any code of the student's; of what is imported later, when it is first seen.
    """

    def __init__(self) -> None:
        self._settings: dict[str, Setting] = {}
        self._values: dict[str, Any] = {}
        self._spaces = [space_of_module("builtins", builtins)]
        self._seen: set[str] = set()
        self._loaded = 0
        self._look()
        self._given = 0
        self._marks: dict[str, bytes] = {}
        self.settle()

    def settle(self) -> None:
        """Take the values as they are now, where the course goes on from here."""
        for name, setting in self._settings.items():
            self._values[name] = setting.get() if setting.ours is AS_FOUND else setting.ours
        self._marks = {name: one.mark for name, one in all_generators().items()}

    def _look(self) -> None:
        """Take down what has been imported since the last look."""
        loaded = dict(sys.modules)
        if len(loaded) == self._loaded:
            return
        self._loaded = len(loaded)
        for name in loaded.keys() - self._seen:
            self._seen.add(name)
            if isinstance(loaded[name], ModuleType):
                self._spaces.extend(spaces(name, loaded[name]))
                for one in SETTINGS[name](loaded[name]) if name in SETTINGS else ():
                    self._settings[one.name] = one
                    self._values[one.name] = one.get() if one.ours is AS_FOUND else one.ours

    def _changed(self) -> list[Change]:
        return [change for space in self._spaces for change in changes(space) if not hooked(change)]

    def _enter(self) -> _Found:
        """Put the course's state in place: builtins first, as all that follows is written with them."""
        patched = changes(self._spaces[0])
        for change in patched:
            change.space.now[change.key] = change.ours  # type: ignore[index]
        self._look()
        found = _Found({}, {}, [*patched, *self._changed()])
        for change in found.changes[len(patched) :]:
            put(change.space, change.key, change.ours)
        for name, setting in self._settings.items():
            with contextlib.suppress(Exception):  # a working folder that is there no longer
                found.values[name] = setting.get()
            before = found.values.get(name, self._values[name])
            found.wanted[name] = setting.wanted(self._values[name], before)
            self._set(name, found.wanted[name])
        return found

    def _set(self, name: str, value: Any) -> None:
        """Give a setting this value, as far as that can be done."""
        setting = self._settings[name]
        with contextlib.suppress(Exception):
            if _same(setting.get(), value):
                return
        with contextlib.suppress(Exception):
            setting.put(value)

    def _leave(self, found: _Found) -> None:
        """First back to the course's state, in case that what ran has patched names, then to what was found."""
        for change in self._changed():
            put(change.space, change.key, change.ours)
        for name, value in found.values.items():
            self._set(name, value)
        for change in found.changes:
            put(change.space, change.key, change.found)

    def _keep(self, found: _Found) -> None:
        """What was changed inside is the course's from now on; the rest goes back to what was found."""
        now = self._changed()
        for change in now:
            change.space.shipped[change.key] = change.found
        for name, value in found.values.items():
            inside = found.wanted[name]
            with contextlib.suppress(Exception):
                inside = self._settings[name].get()
            if _same(inside, found.wanted[name]):
                self._set(name, value)
            else:
                self._values[name] = inside
        changed = {(change.space.name, change.key) for change in now}
        for change in found.changes:
            if (change.space.name, change.key) not in changed:
                put(change.space, change.key, change.found)

    @contextlib.contextmanager
    def shipped(self) -> Iterator[dict[str, Any]]:
        """The course's state and fixed seeds inside; afterwards all is as it was. Yields what differed, by name."""
        found, before = self._enter(), all_generators()
        try:
            with _no_figures(), _no_inference_mode() as inference:
                seed(0)
                yield found.differed | ({"torch's inference mode": True} if inference else {})
        finally:
            self._leave(found)
            for one in before.values():
                one.put(one.state)

    @contextlib.contextmanager
    def given(self) -> Iterator[None]:
        """The course's state inside a given cell: what it changes stays, what the student had changed is given back.

        Random numbers go on as in a notebook that is run from its top. Where a cell of the student's has drawn some, or
        set a seed, the given cell gets a fixed seed, another for each.
        """
        found, before = self._enter(), all_generators()
        self._given += 1
        drawn = any(one.mark != self._marks.get(name, one.mark) for name, one in before.items())
        if drawn:
            seed(self._given)
        begun = {name: one.mark for name, one in all_generators().items()}
        try:
            with _no_inference_mode():
                yield
        finally:
            self._keep(found)
            self._look()
            self._marks = {name: one.mark for name, one in all_generators().items()}
            for name, one in before.items():
                if drawn and self._marks[name] == begun[name]:
                    one.put(one.state)
