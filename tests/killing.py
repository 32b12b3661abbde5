"""A command that is killed at chosen changes of its store, and given again after each.

``python -m tests.killing STORE '[K, ...]' COMMAND...`` runs the command in forked children:
the first is killed before the K-th change that it makes to files of the store, the second
before its own, and so on; the last one runs to its end. Forking saves the imports.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

import dask.array
import distributed
import numba
import skimage

from daskstem.cli.main import main
from daskstem.run import convert, execute, simulate
from daskstem.steps.registry import STEPS
from tests.stores import stamps

LOADED = (dask.array, distributed, numba, skimage, convert, execute, simulate)
OF_THE_SERIES = {step.group for step in STEPS.values() if step.kind != "stored"}
"""Groups in which rows of several frames share a file: it grows with every frame."""
CHANGES = ("mkdir", "replace", "rename", "unlink", "rmdir")


def kill_before_change(number, place):
    """Let this process be killed before its ``number``-th change of files below ``place``."""
    lock = threading.Lock()
    count = 0

    def counted(change):
        def wrapped(path, *args, **kwargs):
            nonlocal count
            if place in str(path) or kwargs.get("dir_fd") is not None:
                with lock:
                    count += 1
                    if count == number:
                        os.kill(os.getpid(), signal.SIGKILL)
            return change(path, *args, **kwargs)

        return wrapped

    for name in CHANGES:
        setattr(os, name, counted(getattr(os, name)))
    return lambda: count


def run_once(command, store, number):
    """Run the command in a child; return its end: "killed", or the number of changes."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        counted = kill_before_change(number, store)
        main(command, standalone_mode=False)
        os.write(writer, str(counted()).encode())
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        told = pipe.read()
    if os.WIFSIGNALED(status):
        return "killed"
    assert os.WEXITSTATUS(status) == 0, f"the command ended with {status}"
    return int(told)


def killed_again_and_again(command, store, numbers):
    """Run until it ends undisturbed; finished frames must stay as they are meanwhile."""
    ends, before = [], {}
    for number in (*numbers, None):
        ends.append(run_once(command, store, number))
        after = stamps(store) if Path(store).is_dir() else {}
        touched = [
            path
            for path, stamp in before.items()
            if after.get(path, stamp) != stamp and OF_THE_SERIES.isdisjoint(Path(path).parts)
        ]
        assert not touched, f"written again: {touched}"
        before = after
        if ends[-1] != "killed":
            break
    return ends


if __name__ == "__main__":
    print(json.dumps(killed_again_and_again(sys.argv[3:], sys.argv[1], json.loads(sys.argv[2]))))
