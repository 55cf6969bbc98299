"""Celery's settings, each with its why. Used by the workers, by Flower, and by the API to publish.

Pools: both kinds of worker run threads. Firing waits for Postgres and sending waits for SMTP, so the
threads spend their time waiting; `docs/decisions/0006-thread-pools.md` has the measurements.
"""

from __future__ import annotations

from alertops.config import load_settings
from tasks.brokers import in_any_order as _in_any_order
from tasks.queues import task_queues as _task_queues

_settings = load_settings()

# ---- broker
# Of several nodes, not every process begins with the first: all would be connected to that one, and all would
# have to find another when it is lost.
broker_url = _in_any_order(_settings.broker_url)
# Either side notices in about 10 s that the other vanished without a word. The default of 120 s would be
# minutes of silence, in which the broker keeps handing wake-ups to a worker that is no more.
broker_heartbeat = 5
# A worker that gives up (the default: after 100 tries) is a worker that needs a person at 3 a.m.
broker_connection_max_retries = None
broker_connection_retry_on_startup = True
broker_connection_timeout = 4
# A broker that does not know yet that a connection is dead keeps its exclusive queues locked, and Celery
# takes that for the end: the worker that came back on a new connection would exit.
control_queue_exclusive = False
# Looks for a broker that is away every 2 s; Celery's own pauses grow to 30 s.
worker_consumer = "tasks.consumer:Consumer"
# What Celery itself publishes, Flower's events and requests for recovery, does not wait for the broker's
# confirm: a worker that waits for it, from a broker that is out of disk and takes nothing, would not run
# what it has been given. Wake-ups go through `tasks.publisher`, which collects its confirms, and sees what
# could not be routed.
broker_transport_options = {"confirm_publish": False}

# ---- queues
# Every queue is a quorum queue in this list: Celery turns global QoS off when it sees one, and binds
# each of them to the delayed-delivery exchange.
task_queues = _task_queues()
task_default_queue = "recovery"
task_create_missing_queues = False
broker_native_delayed_delivery_queue_type = "quorum"
task_default_delivery_mode = "persistent"

# ---- acknowledging messages
# After the work, so that a worker that dies leaves its messages to others. That makes copies, which
# the claims in the database tell apart; neither setting is what makes a send happen once.
task_acks_late = True
task_reject_on_worker_lost = True
# A task that raises too often (`tasks.poison`) goes to the dead-letter queue, where it is seen. Its row
# waits for recovery.
task_acks_on_failure_or_timeout = False
# A task under way when the connection drops is finished and fenced; stopping it in mid-send would only
# turn a known outcome into an unknown one.
worker_cancel_long_running_tasks_on_connection_loss = False

# ---- tasks
imports = (
    "tasks.signals",
    "tasks.bootsteps",
    "tasks.lanes",
    "tasks.leaving",
    "tasks.canary",
    "tasks.fire_step",
    "tasks.fire_timer",
    "tasks.check_heartbeat",
    "tasks.send_attempt",
    "tasks.send_delivery",
    "tasks.send_letter",
    "tasks.recover",
)
# The row is the result.
task_ignore_result = True
result_backend = None
task_serializer = "json"
accept_content = ["json"]
enable_utc = True
timezone = "UTC"
# Celery must not repeat a failed publish by itself: dispatch is bounded, and recovery repairs.
task_publish_retry = False

# ---- workers
# A waiting message is held for less than a second (the broker waits the whole seconds), and prefetch
# is static on quorum queues: 16 for each thread lets a worker hold 100 and more such fractions.
worker_prefetch_multiplier = 16
# Three messages about each task cost more than the two tasks of a step publish. Flower asks for them when it
# is up (`--enable-events`, its default), and the workers tell from then on.
worker_send_task_events = False
task_send_sent_event = False
# Structured logs are set up in `tasks.signals`; Celery's own format would lose the fields.
worker_hijack_root_logger = False
worker_redirect_stdouts = False

# ---- leaving
# SIGTERM is the warm shutdown: what runs is finished, and `tasks.leaving` gives the rest back first. Celery
# does not bound it, and need not: a send ends by its own deadline (10 s), so the 30 s that a container is
# given are enough. The soft shutdown bounds the cold one (SIGQUIT) alone, by cancelling what runs; threads
# cannot be cancelled, so waiting before trying would only keep the connection, and with it the messages.
worker_soft_shutdown_timeout = 0
