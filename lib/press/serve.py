"""Serve the site on this machine only."""

import functools
import http.server
import socket

from press.layout import SITE, Fault


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of the site, without a line of log for each."""

    def log_message(self, *args) -> None:
        """Say nothing."""


def server(port: int) -> http.server.ThreadingHTTPServer:
    """A server on the loopback address; port 0 takes any free one.

    Raises:
        Fault: the port is taken.
    """
    handler = functools.partial(Handler, directory=str(SITE))
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:
        raise Fault(f"port {port} is taken: choose another, for example port={port + 1}") from None


def free(port: int) -> None:
    """Fail before the work, not after it, when the port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise Fault(
                f"port {port} is taken: choose another, for example port={port + 1}"
            ) from None


def serve(port: int) -> None:
    """Serve until the keyboard interrupts."""
    with server(port) as running:
        print(
            f"\nThe book is at http://127.0.0.1:{running.server_address[1]}/  (Ctrl-C ends it)",
            flush=True,
        )
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            print()
