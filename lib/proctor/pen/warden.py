"""One submission at a time: the student's cells in one process, the tests in another, the score from the second.

A warden belongs to us and knows no database. It reads the hostile file, has the server fork, keeps the limits, and
gives back a result. Nothing that a student sends raises here; only a referee can report that it broke.
"""

import dataclasses
import json
import resource
import socket
import time
from typing import Any

from proctor.pen import mend
from proctor.pen.custody import Inmate, family_memory
from proctor.pen.frames import Closed, Line
from proctor.pen.sitting import Sitting

LIMITS = {
    "call_s": 10,
    "cell_s": 60,
    "total_s": 300,
    "memory_mb": 1024,
    "processes": 64,
    "disk_mb": 64,
}
OWN_MEMORY = 1 << 30  # bytes above the server, while a hostile file is read


class Warden:
    """Grades what the writer sends."""

    def __init__(self, server: socket.socket) -> None:
        self.server, self.limits, self.seed, self.until = server, dict(LIMITS), "0", 0.0

    def ask(self, message: dict, descriptors: list[int] | None = None) -> dict:
        """A request to the server, and its answer."""
        socket.send_fds(self.server, [json.dumps(message).encode()], descriptors or [])
        text = b""
        while not text.endswith(b"\n"):
            part = self.server.recv(1 << 16)
            if not part:
                raise RuntimeError("the server of the box has ended")
            text += part
        return json.loads(text)

    def patience(self, seconds: float) -> float:
        """Seconds to wait, at most to the end of the submission's time."""
        return max(0.1, min(seconds, self.until - time.monotonic()))

    def too_large(self, inmate: Inmate) -> bool:
        """End a process whose family holds more memory than it may; the limit of each alone is the kernel's."""
        most = self.limits["memory_mb"] << 20
        if family_memory(inmate.pid) < 1.5 * most:
            return False
        inmate.end(f"your code used more than {self.limits['memory_mb']} MB of memory")
        return True

    def grade(self, spec: dict, files: dict[str, bytes], notes: list[str]) -> dict[str, Any]:
        """Grade one submission: for each notebook its cells with outputs and its scores; and what to say of it."""
        self.limits = LIMITS | spec.get("limits", {})
        self.seed, start = spec.get("seed", "0"), time.monotonic()
        self.until = start + self.limits["total_s"]
        result: dict[str, Any] = {"notebooks": {}, "notes": notes, "cpu": 0.0}
        data = {name: raw for name, raw in files.items() if not name.endswith(".ipynb")}
        for name, notebook in spec["notebooks"].items():
            result["notebooks"][name] = self.grade_notebook(name, notebook, files, data, result)
        result["seconds"] = time.monotonic() - start
        return result

    def grade_notebook(
        self, name: str, spec: dict, files: dict[str, bytes], data: dict[str, bytes], result: dict
    ) -> dict[str, Any]:
        """One notebook of the submission."""
        known, raw = spec["cells"], files.get(f"{name}.ipynb")
        if raw is None:
            result["notes"].append(f"{name}.ipynb is missing")
            zeros = {key: 0.0 for key, one in known.items() if one["grade"] or one["task"]}
            return {"missing": True, "cells": [], "scores": zeros}
        submitted, why = mend.understand(raw)
        if why:
            result["notes"].append(f"{name}.ipynb {why}")
        cells, repairs = mend.mend(submitted, known, name)
        result["notes"] += repairs if submitted else []
        sitting = Sitting(self, spec, cells, data)
        sitting.hold()
        by_key = {cell.key: cell for cell in cells if cell.key}
        for key, one in known.items():
            if one["grade"] and one["solution"]:  # a person grades it, unless nobody wrote anything
                sitting.scores[key] = 0.0 if mend.untouched(one, by_key.get(key)) else None
            elif one["task"]:
                sitting.scores[key] = None
        empty = [
            key
            for key, one in known.items()
            if one["solution"] and mend.untouched(one, by_key.get(key))
        ]
        result["notes"] += sitting.notes
        result["cpu"] += sitting.cpu
        for cell in cells:
            if cell.kind != "code":
                cell.source = mend.harmless(cell.source)
        return {
            "cells": [dataclasses.asdict(cell) for cell in cells],
            "scores": sitting.scores, "untouched": empty, "again": sitting.fresh,
        }  # fmt: skip


def main(writer: Line, server: socket.socket) -> None:
    """Take submissions until the writer leaves."""
    from proctor.pen.confine import data_size, limit

    limit(resource.RLIMIT_DATA, data_size() + OWN_MEMORY)
    warden, spec = Warden(server), {}
    writer.send({"ready": True})
    while True:
        try:
            order, blobs = writer.receive()
        except Closed:
            return
        spec = order.get("spec") or spec
        try:
            files = dict(zip(order["names"], blobs, strict=True))
            result = warden.grade(spec, files, list(order.get("notes", ())))
        except Exception as error:
            result = {"broken": f"{type(error).__name__}: {error}"}
        writer.send(result)
