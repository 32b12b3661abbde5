"""Memory and time of a process and of all the processes it starts."""

import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

INTERVAL_S = 0.05


@dataclass
class Memory:
    """Resident memory of a process and its children, added up twenty times a second."""

    seconds: list[float] = field(default_factory=list)
    resident_bytes: list[int] = field(default_factory=list)

    @property
    def peak_bytes(self) -> int:
        return max(self.resident_bytes, default=0)

    def peaks(self, parts: int) -> list[int]:
        """Return the peak in each of so many equal stretches of the time."""
        if not self.seconds:
            return []
        whole = self.seconds[-1] or 1.0
        found = [0] * parts
        for second, size in zip(self.seconds, self.resident_bytes, strict=True):
            part = min(parts - 1, int(parts * second / whole))
            found[part] = max(found[part], size)
        return found


@dataclass(frozen=True)
class Measured:
    """What a command took."""

    command: str
    seconds: float
    memory: Memory
    printed: str = ""

    @property
    def peak_bytes(self) -> int:
        return self.memory.peak_bytes


def resident_bytes(process: psutil.Process) -> int:
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return total


@contextmanager
def watched(pid: int) -> Iterator[Memory]:
    """Watch a process and its children while the context lasts."""
    memory, ended = Memory(), threading.Event()
    started = time.perf_counter()

    def watch() -> None:
        try:
            process = psutil.Process(pid)
            while True:
                size = resident_bytes(process)
                memory.seconds.append(time.perf_counter() - started)
                memory.resident_bytes.append(size)
                if ended.wait(INTERVAL_S):
                    return
        except psutil.NoSuchProcess:
            return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        ended.set()
        watcher.join()


def measured(name: str, command: Sequence[str], *, quiet: bool = False) -> Measured:
    """Run a command and return what it took; end the program if the command fails."""
    started = time.perf_counter()
    pipe = subprocess.PIPE if quiet else None
    child = subprocess.Popen(list(command), stdout=pipe, stderr=pipe, text=True)
    with watched(child.pid) as memory:
        printed, problems = child.communicate()
    seconds = time.perf_counter() - started
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}\n{problems or ''}")
    return Measured(name, seconds, memory, printed or "")
