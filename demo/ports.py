"""Picks where the demo listens: the pleasant ports when they are free, any other ones when they are not."""

import socket
from collections.abc import Iterable

HOST = "127.0.0.1"


def pick(wanted: Iterable[int]) -> tuple[int, ...]:
    """A free port for each wanted one (0: any), all of them different."""
    probes: list[socket.socket] = []
    try:
        return tuple(_take(port, probes) for port in wanted)
    finally:
        for probe in probes:
            probe.close()


def _take(port: int, probes: list[socket.socket]) -> int:
    """Bind a probe, which stays bound until all ports are picked, so that none is given twice."""
    for candidate in (port, 0):
        probe = socket.socket()
        # As servers do: what a server that just ended left behind does not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, candidate))
            probe.listen(1)
        except OSError:
            probe.close()
            continue
        probes.append(probe)
        taken: int = probe.getsockname()[1]
        return taken
    raise OSError("no port is free on this machine")
