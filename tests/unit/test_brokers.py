"""Of several nodes a lost one costs one try, and is not asked first again."""

from __future__ import annotations

import pytest

from tasks.brokers import Nodes, in_any_order

ALL = ["a", "b", "c"]


class Cluster:
    """Nodes of which some are lost; writes down who was asked, and with how much time."""

    def __init__(self, *lost: str) -> None:
        self.lost = set(lost)
        self.asked: list[tuple[str, float]] = []

    def connect(self, url: str, seconds: float) -> str:
        self.asked.append((url, seconds))
        if url in self.lost:
            raise ConnectionRefusedError(url)
        return url


def test_the_first_is_asked_alone_while_it_is_there() -> None:
    cluster, nodes = Cluster(), Nodes(ALL)
    assert [nodes.connect(cluster.connect, 3.0) for _ in range(2)] == ["a", "a"]
    assert cluster.asked == [("a", 1.0), ("a", 1.0)]


def test_a_lost_one_is_asked_last_from_then_on() -> None:
    cluster, nodes = Cluster("a"), Nodes(ALL)
    assert [nodes.connect(cluster.connect, 3.0) for _ in range(2)] == ["b", "b"]
    assert [url for url, _ in cluster.asked] == ["a", "b", "b"]


def test_one_that_is_back_is_asked_when_the_others_are_lost() -> None:
    cluster, nodes = Cluster("a"), Nodes(ALL)
    nodes.connect(cluster.connect, 3.0)
    cluster.lost = {"b", "c"}
    assert nodes.connect(cluster.connect, 3.0) == "a"


def test_when_all_are_lost_each_was_asked_once_and_the_time_was_theirs_together() -> None:
    cluster, nodes = Cluster(*ALL), Nodes(ALL)
    with pytest.raises(ConnectionRefusedError):
        nodes.connect(cluster.connect, 3.0)
    assert sorted(url for url, _ in cluster.asked) == ALL
    assert sum(seconds for _, seconds in cluster.asked) == 3.0


def test_a_single_one_has_all_the_time() -> None:
    cluster = Cluster()
    Nodes(["a"]).connect(cluster.connect, 2.0)
    assert cluster.asked == [("a", 2.0)]


def test_any_order_has_all_of_them() -> None:
    assert in_any_order("amqp://one/") == "amqp://one/"
    assert sorted(in_any_order("a;b;c").split(";")) == ALL
    assert len({in_any_order("a;b;c") for _ in range(100)}) > 1
