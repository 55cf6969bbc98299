"""Ports of 127.0.0.1 that nobody listens on."""

import random
import socket
import threading

ADDRESS = "127.0.0.1"
# Below the ports that systems give to outgoing connections (from 32768, or 49152, up). With a port of
# that range, a client that keeps trying while the server is down may be given the very port as its own,
# is then connected to itself, and the server cannot come back.
CHOICE = range(20000, 30000)

_chosen: set[int] = set()
_choosing = threading.Lock()


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as listener:
        # As servers do: connections of the past that are still fading away are no obstacle.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, port))
        except OSError:
            return False
        return True


def is_accepting(port: int) -> bool:
    """Whether somebody listens on the port."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((ADDRESS, port)) == 0


def choose() -> int:
    """A port that is free now, chosen at random so that two processes hardly ever choose the same.

    One process never does: a server that was given a port listens there seconds later.
    """
    with _choosing:
        candidates = random.sample(CHOICE, len(CHOICE))
        port = next(port for port in candidates if port not in _chosen and is_free(port))
        _chosen.add(port)
    return port
