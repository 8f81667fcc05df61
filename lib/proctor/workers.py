"""Many submissions through a few wardens: each once, and no worker's death loses one."""

import contextlib
import select
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from proctor.collect import Handed
from proctor.pen.box import Box, Dead, Warden
from proctor.pen.frames import Closed

TRIES = 2
Result = dict[str, Any]


@dataclass
class Pool:
    """Wardens of one box; a warden that dies is replaced, and its submission tried once more."""

    spec: dict[str, Any]
    jobs: int = 2
    confined: bool = True
    box: Box | None = None  # one that is starting already
    keep: bool = False  # leave that box to who gave it
    tries: dict[str, int] = field(default_factory=dict)

    def grade(self, submissions: list[Handed]) -> Iterator[tuple[Handed, Result]]:
        """Each submission with what came of it, in the order in which they are done."""
        waiting = submissions[::-1]
        box = self.box or Box(self.confined)
        with contextlib.nullcontext() if self.keep else box:
            box.ready()
            busy: dict[Warden, Handed] = {}
            idle = [box.hire() for _ in range(min(self.jobs, len(waiting)))]
            while waiting or busy:
                while idle and waiting:
                    warden, one = idle.pop(), waiting.pop()
                    busy[warden] = one
                    self.tries[one.student] = self.tries.get(one.student, 0) + 1
                    try:
                        warden.send(self.spec, one.files, one.notes)
                    except Closed:
                        pass  # its end is seen below
                for warden in select.select(list(busy), [], [])[0]:
                    one = busy.pop(warden)
                    try:
                        result = warden.result()
                        idle.append(warden)
                    except Dead:
                        warden.line.close()
                        idle.append(box.hire())
                        if self.tries[one.student] < TRIES:
                            waiting.append(one)
                            continue
                        result = {"broken": "the worker that graded it died twice"}
                    yield one, result
            for warden in idle:
                warden.line.close()
