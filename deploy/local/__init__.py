"""The private Postgres and RabbitMQ of a checkout.

    python -m deploy.local up | down | status | env | install

`stack.PrivateStack` is both servers together, `postgres.Postgres` and `rabbitmq.RabbitMQ` are each one,
`server.Server` is what they share. Everything hangs on the stack's root folder: the data, the ports and
passwords (`identity`), the lock that lets one command at a time act (`locks`), and the rule by which the
living processes are recognised (`processes`). So any number of checkouts run side by side, and nothing
of the system's own servers is touched. `binaries` finds the programs and `packages` installs them.

The servers are as durable as in production: what is committed or confirmed outlives `kill()`.
"""
