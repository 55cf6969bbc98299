from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from alertops.garbage import NEW_OBJECTS, look_for_garbage_less_often


@pytest.fixture
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.mark.usefixtures("as_before")
def test_what_was_loaded_is_not_looked_at_and_what_comes_later_is() -> None:
    class Ring:
        def __init__(self) -> None:
            self.me = self

    # What other tests have left lying about is not what was loaded.
    gc.collect()
    loaded = len(gc.get_objects())
    look_for_garbage_less_often()
    assert gc.get_freeze_count() > 0.9 * loaded
    assert gc.get_threshold()[0] == NEW_OBJECTS
    for _ in range(2 * NEW_OBJECTS):
        Ring()
    left = sum(isinstance(found, Ring) for found in gc.get_objects())
    assert left < 1.5 * NEW_OBJECTS
