"""The site is served on this machine only; a student's work is never overwritten."""

import socket
import threading
import urllib.request

import pytest

from press import lab, serve
from press.layout import Fault


def test_the_server_listens_on_the_loopback_address_and_gives_files(tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text("here")
    monkeypatch.setattr(serve, "SITE", tmp_path)
    with serve.server(0) as running:
        address, port = running.server_address
        threading.Thread(target=running.serve_forever, daemon=True).start()
        with urllib.request.urlopen(f"http://{address}:{port}/") as answer:
            assert answer.read() == b"here"
        running.shutdown()
    assert address == "127.0.0.1"


def test_a_port_that_is_taken_is_said_before_the_work():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for function in (serve.free, serve.server):
            with pytest.raises(Fault, match=f"port {port} is taken: choose another"):
                function(port)


def test_a_release_is_copied_once_and_never_overwritten(tmp_path):
    first = lab.prepare(work=tmp_path)
    assert sorted(p.name for p in first) == lab.assignments()
    notebook = first[0] / f"{first[0].name}.ipynb"
    notebook.write_text("my work")
    assert lab.prepare(work=tmp_path) == []
    assert notebook.read_text() == "my work"


def test_a_fresh_copy_lies_beside_the_old(tmp_path):
    lab.prepare(work=tmp_path)
    name = lab.assignments()[0]
    (copy,) = lab.prepare(name, work=tmp_path)
    assert copy.name.startswith(f"{name}-")
    assert (copy / f"{name}.ipynb").exists()


def test_an_unknown_assignment_is_an_error(tmp_path):
    with pytest.raises(Fault, match="no such assignment; there are"):
        lab.prepare("nothing", work=tmp_path)
