"""The same class on many machines: any Dask cluster, one box a worker; the gradebook stays with the writer.

A worker gets bytes and gives a result; it knows no course, no database and no credentials. The connection is
encrypted (`tls://`, with the certificates of Dask's own configuration), or stays on this machine.
"""

import ipaddress
import urllib.parse
from collections.abc import Iterator
from typing import Any

from proctor.collect import Handed, Unusable
from proctor.pen.box import Box, Dead
from proctor.pen.frames import Closed

RETRIES = 2
HERE: dict[str, Any] = {}  # a worker's box and warden


def checked(address: str) -> str:
    """The address, unless students' work would cross a network in the open."""
    parts = urllib.parse.urlsplit(address)
    host = parts.hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if parts.scheme == "tls" or (parts.scheme == "tcp" and local):
        return address
    raise Unusable(f"{address}: a cluster is reached by tls://, or by tcp:// on this machine only")


def grade_here(spec: dict, files: dict[str, bytes], notes: list[str]) -> dict[str, Any]:
    """On a worker: grade one submission in the worker's own box, made when it is first needed."""
    if "warden" not in HERE:
        HERE["box"] = Box()
        HERE["box"].ready()
        HERE["warden"] = HERE["box"].hire()
    try:
        HERE["warden"].send(spec, files, notes)
        return HERE["warden"].result()
    except (Closed, Dead):
        HERE.pop("box").close()
        HERE.clear()
        raise


def grade(
    address: str, spec: dict, submissions: list[Handed]
) -> Iterator[tuple[Handed, dict[str, Any]]]:
    """Each submission with what came of it, in the order in which they are done."""
    from dask.distributed import Client, as_completed
    from distributed.scheduler import KilledWorker
    from distributed.security import Security

    encrypted = address.startswith("tls://")
    security = Security(require_encryption=True) if encrypted else None
    with Client(checked(address), security=security, set_as_default=False) as client:
        shared = client.scatter(spec, broadcast=True, hash=False)
        futures = {
            client.submit(
                grade_here, shared, one.files, one.notes, pure=False, retries=RETRIES
            ): one
            for one in submissions
        }
        for future in as_completed(futures, loop=client.loop):
            try:
                result = future.result()
            except (KilledWorker, Closed, Dead) as error:
                result = {"broken": f"the workers that graded it died: {error}"}
            except Exception as error:
                result = {"broken": f"{type(error).__name__}: {error}"}
            yield futures[future], result
            future.release()
