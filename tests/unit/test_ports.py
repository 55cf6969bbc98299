from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.local import ports


def test_no_two_servers_of_a_process_are_given_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nobody listens there yet, and the dice fall the same each time."""
    monkeypatch.setattr(random, "sample", lambda population, _: list(population))
    with ThreadPoolExecutor(8) as several:
        chosen = list(several.map(lambda _: ports.choose(), range(40)))
    assert len({*chosen}) == len(chosen)
