"""Connect to one of several addresses."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from alertops.channels.deadline import Deadline

# As `socket.getaddrinfo` gives them: family, kind, protocol, canonical name, address.
Address = tuple[Any, Any, int, str, tuple[Any, ...]]


def dial(addresses: Sequence[Address], deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers; the last one's `OSError` when none does.

    Each is connected to as it is: no name is looked up here.
    """
    left = list(addresses)
    while True:
        family, kind, protocol, _, address = left.pop(0)
        sock = socket.socket(family, kind, protocol)
        try:
            # An equal share for each address that is left: a dead one must not use up all the time.
            sock.settimeout(deadline.remaining() / (len(left) + 1))
            sock.connect(address)
        except OSError:
            sock.close()
            if not left:
                raise
        else:
            return sock
