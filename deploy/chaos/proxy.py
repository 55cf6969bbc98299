"""Links: TCP proxies between two of our programs that fail in the ways networks do.

All links of a run share one event loop in a thread of its own. The methods of a link may be called from
any thread; they return when what they ask for is in effect.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from deploy.local import ports

T = TypeVar("T")

CHUNK = 65536
# SO_LINGER with no time to linger: closing sends RST, and what was not yet sent is lost.
ABORT = struct.pack("ii", 1, 0)


class Network:
    """The thread in which links work; a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._links: list[Link] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for link in self._links:
            link.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def link(self, name: str, port: int) -> Link:
        """A new link to a port of this machine."""
        link = Link(name, port, self)
        self.run(link._listen())
        self._links.append(link)
        return link

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it in the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)


@dataclass(eq=False)
class _Wire:
    """One connection through a link: the client's side and the server's."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    server_says: asyncio.StreamReader
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def stop(self) -> None:
        """Pass nothing on any more; what is on its way is lost."""
        for task in self.tasks:
            task.cancel()

    def reset(self, *sides: asyncio.StreamWriter) -> None:
        for side in sides or (self.client, self.server):
            _reset(side)


def _reset(side: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        side.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    side.transport.abort()


class Link:
    """A port of this machine behind which another one is, as long as nobody does the link harm."""

    def __init__(self, name: str, target: int, network: Network) -> None:
        self.name = name
        self._target = target
        self._network = network
        self._wires: set[_Wire] = set()
        self._abandoned: set[_Wire] = set()
        self._open = True
        self._latency = 0.0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.port = 0

    def cut(self) -> None:
        """Every connection ends with a reset, and new ones are ended at once."""
        self._network.run(self._cut())

    def slow(self, seconds: float) -> None:
        """Every piece of data arrives so much later."""
        self._latency = seconds

    def freeze(self) -> None:
        """Nothing passes, nobody is told: connections stay open, new ones are taken and hear nothing."""
        self._network.run(self._freeze())

    def lose_server_side(self) -> None:
        """Half-open: nothing passes, the server saw its connections reset, the clients hear nothing."""
        self._network.run(self._lose_server_side())

    def lose_client_side(self, *, frozen: bool = False) -> None:
        """The clients see their connections reset, and the server never hears of it.

        With `frozen`, new connections wait as well: the clients' machine has lost its power.
        """
        self._network.run(self._lose_client_side(frozen))

    def mend(self) -> None:
        """From now on all is well; what was frozen goes on."""
        self._network.run(self._mend())

    @property
    def server_is_deceived(self) -> bool:
        """Whether the server still takes a connection for alive whose client is gone."""
        return bool(self._abandoned)

    @property
    def server_sees(self) -> list[int]:
        """The ports that the server takes for its clients'."""
        return [wire.server.get_extra_info("sockname")[1] for wire in list(self._wires)]

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._connected, ports.ADDRESS, ports.choose())
        self.port = server.sockets[0].getsockname()[1]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        if not self._open:
            _reset(writer)
            return
        try:
            server_reader, server_writer = await asyncio.open_connection(ports.ADDRESS, self._target)
        except OSError:
            _reset(writer)
            return
        wire = _Wire(writer, server_writer, server_reader)
        self._wires.add(wire)
        wire.tasks = [
            asyncio.create_task(self._pump(wire, reader, server_writer)),
            asyncio.create_task(self._pump(wire, server_reader, writer)),
        ]

    async def _pump(self, wire: _Wire, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Pass on what comes from one side; the end of one side ends the wire."""
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK):
                if self._latency:
                    await asyncio.sleep(self._latency)
                await self._flowing.wait()
                sink.write(data)
                await sink.drain()
        await self._flowing.wait()  # that it has ended does not get through either
        self._wires.discard(wire)
        wire.client.close()
        wire.server.close()
        wire.stop()

    async def _cut(self) -> None:
        self._open = False
        self._flowing.set()
        for wire in [*self._wires, *self._abandoned]:
            wire.stop()
            wire.reset()
        self._wires.clear()
        self._abandoned.clear()

    async def _freeze(self) -> None:
        self._flowing.clear()

    async def _lose_server_side(self) -> None:
        self._flowing.clear()
        for wire in self._wires:
            wire.reset(wire.server)

    async def _lose_client_side(self, frozen: bool) -> None:
        if frozen:
            self._flowing.clear()
        for wire in self._wires:
            wire.stop()
            wire.reset(wire.client)
            wire.tasks = [asyncio.create_task(self._listen_in_vain(wire))]
        self._abandoned |= self._wires
        self._wires.clear()

    async def _listen_in_vain(self, wire: _Wire) -> None:
        """Take what the server says to nobody, until it gives up."""
        with contextlib.suppress(OSError):
            while await wire.server_says.read(CHUNK):
                pass
        self._abandoned.discard(wire)
        wire.reset(wire.server)

    async def _mend(self) -> None:
        self._open = True
        self._latency = 0.0
        self._flowing.set()
