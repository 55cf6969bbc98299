"""AlertOps on one machine, with the private Postgres and RabbitMQ of a checkout.

    python -m deploy.local run | stop                               everything
    python -m deploy.local up | down | status | env | install       the servers

`stack.PrivateStack` is both servers together, `postgres.Postgres` and `rabbitmq.RabbitMQ` are each one,
`server.Server` is what they share. Everything hangs on the stack's root folder: the data, the ports and
passwords (`identity`), the lock that lets one command at a time act (`locks`), and the rule by which the
living processes are recognised (`processes`). So any number of checkouts run side by side, and nothing
of the system's own servers is touched. `binaries` finds the programs and `packages` installs them.

`fleet.Fleet` is AlertOps itself: the API, two hosts of workers, Flower and a mail sink, each of them a
`service.Service` that can be started, awaited, paused and killed. `welcome` is what `run` tells, and
`client` is how it talks to the API. `promises` compares what the database says with the mails that were
received, and `smtp_sink` is a mail server that misbehaves on request.

The servers are as durable as in production: what is committed or confirmed outlives `kill()`.
"""
