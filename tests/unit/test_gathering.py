"""A batch is written in a few pieces, whole and in order; everything else goes through at once."""

from __future__ import annotations

import pytest

from tasks.gathering import PIECE_BYTES, GatheringWriter


class Wire:
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        self.pieces.append(bytes(data))


class Connection:
    frame_max = 4096


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def writer(wire: Wire) -> GatheringWriter:
    writer = GatheringWriter()
    writer.frame_writer(Connection(), wire)
    return writer


def test_what_is_not_gathered_is_written_at_once(wire: Wire, writer: GatheringWriter) -> None:
    writer.write(b"one")
    writer.write(b"two")
    assert wire.pieces == [b"one", b"two"]


def test_a_batch_is_one_piece_written_at_its_end(wire: Wire, writer: GatheringWriter) -> None:
    with writer.gathered():
        writer.write(b"one")
        writer.write(b"two")
        assert wire.pieces == []
    writer.write(b"three")
    assert wire.pieces == [b"onetwo", b"three"]


def test_a_large_batch_takes_no_more_memory_than_a_piece(wire: Wire, writer: GatheringWriter) -> None:
    messages = [bytes([number]) * 1000 for number in range(200)]
    with writer.gathered():
        for message in messages:
            writer.write(message)
    assert b"".join(wire.pieces) == b"".join(messages)
    assert [len(piece) // PIECE_BYTES for piece in wire.pieces] == [1, 1, 1, 0]


def test_memory_that_is_used_again_was_copied(wire: Wire, writer: GatheringWriter) -> None:
    """py-amqp packs every frame into the same buffer."""
    buffer = bytearray(b"one")
    with writer.gathered():
        writer.write(memoryview(buffer))
        buffer[:] = b"two"
        writer.write(memoryview(buffer))
    assert wire.pieces == [b"onetwo"]


def test_an_empty_batch_writes_nothing(wire: Wire, writer: GatheringWriter) -> None:
    with writer.gathered():
        pass
    assert wire.pieces == []


def test_a_batch_that_failed_is_not_written_with_the_next(wire: Wire, writer: GatheringWriter) -> None:
    def fail_half_way() -> None:
        with writer.gathered():
            writer.write(b"half of a mess")
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011  whichever it is, nothing of the batch is left
        fail_half_way()
    writer.write(b"whole")
    assert wire.pieces == [b"whole"]
