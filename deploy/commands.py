"""How the processes of AlertOps are started, wherever they run.

    api              gunicorn: HTTP in, executions out
    fire, send, hook Celery workers: they fire steps, send mails, post webhooks
    flower           watches the workers
    migrate          brings the schema up to this code, and ends

`deploy/local/fleet.py` starts a checkout's processes by these words. Who runs containers or systemd reads
them written out, in `compose.yaml`, `kubernetes/` and `systemd/`; `tests/deploy/test_one_truth.py` fails when
one of these says something else.
"""

from dataclasses import dataclass

API = (
    *("gunicorn", "api.wsgi:app", "--workers", "2", "--worker-class", "gthread", "--threads", "8"),
    # The control socket is in the home folder, where two of them would fight for it.
    *("--graceful-timeout", "20", "--no-control-socket"),
)
CELERY = ("celery", "-A", "tasks")
MIGRATE = ("flask", "--app", "api.wsgi", "db", "upgrade")

# Who watches shall not end workers and revoke tasks by a wrong click; `read-only` leaves these buttons out.
FLOWER = (
    *(*CELERY, "flower", "--persistent=False", "--read-only=True"),
    "--tasks-columns=name,args,state,received,runtime,worker",
)


@dataclass(frozen=True)
class WorkerKind:
    """One kind of worker: the queues that it takes from, and how it runs their tasks."""

    name: str
    queues: tuple[str, ...]
    pool: tuple[str, ...]
    options: tuple[str, ...] = ()

    def command(self, host: str, pool: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Its command on a host; Celery replaces `%h` by the machine's own name."""
        return (
            *(*CELERY, "worker", "--hostname", f"{self.name}@{host}"),
            # Nobody needs to know the others: all that workers share is in Postgres and RabbitMQ.
            *("--without-mingle", "--without-gossip"),
            *("--queues", ",".join(self.queues), *self.options),
            *(self.pool if pool is None else pool),
        )


# A message that waits behind a send that hangs would wait here, while another worker is idle.
_ONE_EACH = ("--prefetch-multiplier", "1")

FIRE = WorkerKind("fire", ("fire", "recovery"), ("--pool", "threads", "--concurrency", "8"))
SEND = WorkerKind(
    "send", ("send.email", "send.letters"), ("--pool", "threads", "--concurrency", "16"), _ONE_EACH
)
HOOK = WorkerKind(
    "hook",
    ("send.webhook", "send.events", "send.apprise"),
    ("--pool", "threads", "--concurrency", "16"),
    _ONE_EACH,
)
WORKERS = (FIRE, SEND, HOOK)
