"""Contenders in processes of their own, asked in turns."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.watching import watched

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Answer:
    """What one piece of work took and returned."""

    seconds: float
    found: Any
    peak_bytes: int


@dataclass(frozen=True)
class Timing:
    """All answers of one contender."""

    answers: tuple[Answer, ...]

    @property
    def seconds(self) -> float:
        return median(answer.seconds for answer in self.answers)

    @property
    def peak_bytes(self) -> int:
        return max(answer.peak_bytes for answer in self.answers)

    @property
    def found(self) -> Any:
        return self.answers[0].found


class Contender:
    """A running process that answers."""

    def __init__(self, process: subprocess.Popen[str], problems: Any) -> None:
        self._process = process
        self._problems = problems
        first = self._line()
        self.about = first["about"]

    def ask(self, work: str) -> Answer:
        """Let it work, and watch its memory meanwhile."""
        assert self._process.stdin is not None
        with watched(self._process.pid) as memory:
            self._process.stdin.write(f"{work}\n")
            self._process.stdin.flush()
            told = self._line()
        return Answer(told["seconds"], told["found"], memory.peak_bytes)

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        # libraries may print while they are imported
        while line and not line.startswith("{"):
            line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._problems.seek(0)
            tail = self._problems.read()[-3000:]
            raise RuntimeError(f"{self._process.args} ended with {code}\n{tail}")
        return json.loads(line)


@contextmanager
def contender(script: str, *, python: str = sys.executable, **given: Any) -> Iterator[Contender]:
    """Start a script of ``ours`` or ``peers`` with its settings as JSON, and end it after."""
    command = [python, str(HERE / script), json.dumps(given, default=str)]
    own = os.environ.get("PYTHONPATH") if python == sys.executable else None
    path = os.pathsep.join(filter(None, [str(ROOT), own]))
    with tempfile.TemporaryFile("w+") as problems:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=problems, text=True,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        try:
            yield Contender(process, problems)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def interleaved(
    turns: Mapping[str, tuple[Contender, str]],
    repeats: int,
    *,
    before: Callable[[], None] = lambda: None,
    once: Sequence[str] = (),
) -> dict[str, Timing]:
    """Ask the contenders in turns, A B A B, and return their timings.

    Parameters
    ----------
    turns
        By name, a contender and its work.
    repeats
        How often each is asked.
    before
        Called before every question.
    once
        Names of those that are asked only in the first round.
    """
    answers: dict[str, list[Answer]] = {name: [] for name in turns}
    for number in range(repeats):
        for name, (who, work) in turns.items():
            if number and name in once:
                continue
            before()
            answers[name].append(who.ask(work))
    return {name: Timing(tuple(found)) for name, found in answers.items()}
