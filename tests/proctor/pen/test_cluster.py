"""A class on a Dask cluster of two workers over TLS, into PostgreSQL; a worker is killed on the way."""

import contextlib
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import dask
import nbformat
import psycopg2
import pytest
from nbgrader.api import Gradebook

from press.packages import install
from proctor.__main__ import main
from proctor.cluster import checked
from proctor.collect import Unusable
from tests.proctor.pen.support import CONFIG, answer, cell, check, write_course

SIZE = 10
SLOW = "import time\ntime.sleep(0.5)\ndef double(x):\n    return 2 * x"


def tool(name):
    """One of PostgreSQL's programs, installed if need be."""
    for attempt in range(2):
        found = shutil.which(name) or next(
            iter(sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))[::-1]), None
        )
        if found:
            return found
        if not attempt:
            install("postgresql")
    raise AssertionError(f"PostgreSQL's {name} is needed: install the package postgresql")


@pytest.fixture(scope="module")
def database():
    """A PostgreSQL of our own, on a socket in a temporary folder; its programs refuse root."""
    folder, as_user = Path(tempfile.mkdtemp()), {}
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
        as_user = {"user": "postgres"}
    data, quiet = (
        folder / "data",
        {"stdout": subprocess.DEVNULL, "check": True, "cwd": "/", **as_user},
    )
    subprocess.run([tool("initdb"), "-D", str(data), "-A", "trust", "-U", "grader"], **quiet)
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    subprocess.run(
        [tool("pg_ctl"), "-D", str(data), "-o", options, "-w", "start", "-l", str(folder / "log")],
        **quiet,
    )
    yield f"postgresql+psycopg2://grader@/postgres?host={folder}"
    subprocess.run([tool("pg_ctl"), "-D", str(data), "-m", "immediate", "stop"], **quiet)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two worker processes on loopback that speak TLS, with certificates made for the occasion."""
    from distributed import LocalCluster
    from distributed.security import Security

    made = Security.temporary()
    folder = tmp_path_factory.mktemp("tls")
    (folder / "ca.pem").write_text(made.tls_ca_file)
    for role in ("client", "scheduler", "worker"):
        (folder / f"{role}.pem").write_text(getattr(made, f"tls_{role}_cert"))
        (folder / f"{role}.key").write_text(getattr(made, f"tls_{role}_key"))
    keys = {"distributed.comm.tls.ca-file": str(folder / "ca.pem")}
    for role in ("client", "scheduler", "worker"):
        keys[f"distributed.comm.tls.{role}.cert"] = str(folder / f"{role}.pem")
        keys[f"distributed.comm.tls.{role}.key"] = str(folder / f"{role}.key")
    with dask.config.set(keys):
        with LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            security=Security(require_encryption=True),
            dashboard_address=None,
            host="127.0.0.1",
        ) as started:
            yield started


@pytest.fixture
def course(tmp_path, monkeypatch, database):
    """Ten who hand in the same right answer, which takes a little while; an empty gradebook."""
    cells = [
        answer("def double(x):\n    return 2 * x", "double"),
        check("assert double(4) == 8", "t"),
    ]
    folder = write_course(tmp_path, [cell("import math", "imports", locked=True), *cells])
    for number in range(SIZE):
        place = folder / "submitted" / f"s{number}" / "hw1"
        place.mkdir(parents=True)
        nb = nbformat.v4.new_notebook(
            cells=[
                cell(SLOW, "double", solution=True),
                cell("", "t", grade=True, locked=True, points=2),
            ]
        )
        nbformat.write(nb, place / "hw1.ipynb")
    with contextlib.closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("drop schema public cascade; create schema public")
        connection.commit()
    monkeypatch.chdir(folder)
    # In the file, and not in the environment, which workers that are started here would inherit.
    with (folder / "nbgrader_config.py").open("a") as config:
        config.write(f"c.CourseDirectory.db_url = {database!r}\n")
    return folder


def connect(database):
    return psycopg2.connect(database.replace("+psycopg2", ""))


def journal(database):
    """Attempts, by student."""
    with contextlib.suppress(psycopg2.Error), contextlib.closing(connect(database)) as connection:
        with connection.cursor() as cursor:
            cursor.execute("select student, sum(attempts) from proctor_journal group by student")
            return {student: int(attempts) for student, attempts in cursor.fetchall()}
    return {}


def scores(database):
    with Gradebook(database) as book:
        return {one.student.id: one.score for one in book.assignment_submissions("hw1")}


def test_a_killed_worker_loses_nothing_and_doubles_nothing(course, cluster, database):
    def kill():
        until = time.monotonic() + 60
        while len(journal(database)) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(next(iter(cluster.workers.values())).process.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    code = main(["grade", "hw1", "--cluster", cluster.scheduler_address])
    killer.join()
    assert cluster.scheduler_address.startswith("tls://127.0.0.1")
    assert code == 0
    assert journal(database) == {f"s{n}": 1 for n in range(SIZE)}
    assert scores(database) == {f"s{n}": 2 for n in range(SIZE)}
    assert list((course / "_grading/backups").glob("*.db"))


def test_workers_know_no_database(course, cluster, database):
    from distributed import Client
    from distributed.security import Security

    assert main(["grade", "hw1", "--student", "s0", "--cluster", cluster.scheduler_address]) == 0

    def environment():
        return dict(os.environ), os.getcwd()

    with Client(
        cluster.scheduler_address, security=Security(require_encryption=True), set_as_default=False
    ) as client:
        for seen, _ in client.run(environment).values():
            assert "PROCTOR_DB" not in seen
            assert database not in str(seen)


def test_two_writers_on_two_machines_the_second_leaves(course, database, capsys, monkeypatch):
    (course / "nbgrader_config.py").write_text(CONFIG)
    monkeypatch.setenv("PROCTOR_DB", database)
    with contextlib.closing(connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(hashtext('proctor'))")
        assert main(["grade", "hw1"]) == 2
    assert "another run, perhaps on another machine" in capsys.readouterr().err
    assert main(["grade", "hw1", "--student", "s1"]) == 0
    assert scores(database) == {"s1": 2}


@pytest.mark.parametrize(
    "address", ["tcp://10.1.2.3:8786", "tcp://graders.example:8786", "ws://127.0.0.1:1", "8786"]
)
def test_students_work_does_not_cross_a_network_in_the_open(address):
    with pytest.raises(Unusable, match="tls://"):
        checked(address)
    assert checked("tcp://127.0.0.1:1") == "tcp://127.0.0.1:1"
    assert checked("tls://graders.example:8786")
