"""The side of a contest that does the work: a process that runs what it is asked for.

Nothing but Python's own library is used here, since this runs in the peers' environments
too. Imports, opening, warming up and compiling come before the first question, and so are
not timed.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any


def answer(works: Mapping[str, Callable[[], Any]], about: Any = None) -> None:
    """Run the work named by each line of standard input, and say how long it took.

    The first line says what is there, with ``about``, which is free (versions, say). Each
    answer is a line of JSON: ``seconds``, and ``found``, what the work returned.
    """
    sys.stdout.flush()
    # libraries may print: their words go to standard error, the answers stay legible
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(json.dumps({"works": sorted(works), "about": about}), file=told, flush=True)
    for line in sys.stdin:
        work = works[line.strip()]
        started = time.perf_counter()
        found = work()
        seconds = time.perf_counter() - started
        print(json.dumps({"seconds": seconds, "found": found}), file=told, flush=True)
