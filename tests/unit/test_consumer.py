"""The steps of a worker's connection, where they are not Celery's."""

from __future__ import annotations

from celery.worker.consumer import Consumer as CeleryConsumer

from tasks.consumer import CELERYS_DELAY_LAYER, Consumer, DelayLayer


def test_the_delay_layer_is_declared_where_a_worker_is_connected_and_nowhere_else() -> None:
    """Celery's own step is there to be left out: were it called something else one day, both would run."""
    assert CELERYS_DELAY_LAYER in CeleryConsumer.Blueprint.default_steps
    ours = set(Consumer.Blueprint.default_steps)
    assert ours ^ set(CeleryConsumer.Blueprint.default_steps) == {
        CELERYS_DELAY_LAYER,
        f"{DelayLayer.__module__}:{DelayLayer.__name__}",
    }
