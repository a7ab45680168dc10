"""Bayesian optimisation of hyper-parameters: spaces, samplers and the search."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import optuna
from tqdm.auto import tqdm

from snnkit._validate import require_steps


class Parameter(Protocol):
    """One dimension of a search space."""

    name: str

    def suggest(self, trial: optuna.Trial) -> Any: ...


@dataclass(frozen=True)
class Real:
    """A real number in ``[low, high]``, searched on a logarithmic scale if ``log``."""

    name: str
    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _require_range(self.name, self.low, self.high, self.log)

    def suggest(self, trial: optuna.Trial) -> float:
        return float(trial.suggest_float(self.name, self.low, self.high, log=self.log))


@dataclass(frozen=True)
class Integer:
    """A whole number in ``[low, high]``, searched on a logarithmic scale if ``log``."""

    name: str
    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _require_range(self.name, self.low, self.high, self.log)

    def suggest(self, trial: optuna.Trial) -> int:
        return int(trial.suggest_int(self.name, self.low, self.high, log=self.log))


@dataclass(frozen=True)
class Choice:
    """One of several options (strings, numbers, booleans or None)."""

    name: str
    options: tuple[str | float | int | bool | None, ...]

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError(f"{self.name} needs at least one option; got none")

    def suggest(self, trial: optuna.Trial) -> str | float | int | bool | None:
        picked: str | float | int | bool | None = trial.suggest_categorical(self.name, self.options)
        return picked


class Sampler(Protocol):
    """How the next trial is proposed."""

    def build(self, seed: int) -> optuna.samplers.BaseSampler: ...


@dataclass(frozen=True)
class TPE:
    """Tree-structured Parzen estimator, after ``startup`` random trials.

    Source: Bergstra et al., NeurIPS 2011.
    """

    startup: int = 10

    def build(self, seed: int) -> optuna.samplers.BaseSampler:
        return optuna.samplers.TPESampler(n_startup_trials=self.startup, seed=seed)


@dataclass(frozen=True)
class GP:
    """Gaussian process with an expected-improvement criterion, after ``startup`` random trials.

    Source: Jones et al., Journal of Global Optimization 1998.
    """

    startup: int = 10

    def build(self, seed: int) -> optuna.samplers.BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.GPSampler(n_startup_trials=self.startup, seed=seed)


@dataclass(frozen=True)
class Random:
    """Uniform random search: the baseline that the other two must beat."""

    def build(self, seed: int) -> optuna.samplers.BaseSampler:
        return optuna.samplers.RandomSampler(seed=seed)


class BayesianResult(NamedTuple):
    """Best parameters and value, the values of all trials in order (NaN where a trial gave none), the study."""

    best: dict[str, Any]
    value: float
    values: list[float]
    study: optuna.Study


def bayesian_search(
    objective: Callable[[Mapping[str, Any]], float],
    space: Sequence[Parameter],
    *,
    trials: int,
    seed: int,
    sampler: Sampler = TPE(),
    progress: bool = False,
) -> BayesianResult:
    """Search hyper-parameters for the smallest objective, with a model of what the trials so far have shown.

    Args:
        objective: parameters by name to a number to minimise; NaN marks a failed trial, for instance a training
            that diverged.  Build and train the network inside it, from a fixed seed.
        space: :class:`Real`, :class:`Integer` and :class:`Choice`, each name once.
        trials: number of evaluations.
        seed: seed of the sampler; the same seed gives the same trials.
        sampler: :class:`TPE`, :class:`GP` or :class:`Random`.
        progress: show a progress bar with the best value.

    Returns:
        ``BayesianResult(best, value, values, study)``.

    Raises:
        ValueError: if the space is empty or names a parameter twice, or ``trials < 1``.
        RuntimeError: if every trial failed.

    Source: Akiba et al., KDD 2019 (Optuna).
    """
    require_steps(trials, "trials")
    names = [parameter.name for parameter in space]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"space must name at least one parameter, and each only once; got {names}")

    with _quiet_optuna():
        study = optuna.create_study(direction="minimize", sampler=sampler.build(seed))
        bar = tqdm(range(trials), desc="search", disable=not progress)
        for _ in bar:
            study.optimize(
                lambda trial: float(objective({part.name: part.suggest(trial) for part in space})), n_trials=1
            )
            if finished := _values(study):
                bar.set_postfix(best=f"{min(finished):.4g}")
    if not _values(study):
        raise RuntimeError(f"all {trials} trials failed: the objective returned NaN for every one of them")
    values = [float("nan") if trial.value is None else float(trial.value) for trial in study.trials]
    return BayesianResult(dict(study.best_params), float(study.best_value), values, study)


def _values(study: optuna.Study) -> list[float]:
    return [trial.value for trial in study.trials if trial.value is not None]


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _require_range(name: str, low: float, high: float, log: bool) -> None:
    if not low <= high:
        raise ValueError(f"{name}: low must not exceed high; got low={low}, high={high}")
    if log and low <= 0:
        raise ValueError(f"{name}: a logarithmic scale needs low > 0; got {low}")
