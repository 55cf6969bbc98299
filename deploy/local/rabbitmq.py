"""The private RabbitMQ node of a stack."""

import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import ClassVar

from amqp import Connection
from amqp.exceptions import AMQPError

from deploy.local import binaries, ports, processes
from deploy.local.account import Account, key_of, our_own
from deploy.local.errors import LocalStackError
from deploy.local.server import Server

USER = "alertops"
OLDEST = (3, 10)

ERLANG_ARGUMENTS = " ".join(
    (
        "-noinput",
        # The distribution port is not open to the network either.
        "-kernel inet_dist_use_interface {127,0,0,1}",
        # Idle schedulers sleep instead of spinning: the machine is shared with what we measure.
        "+sbwt none +sbwtdcpu none +sbwtdio none",
    )
)


class RabbitMQ(Server):
    """A RabbitMQ node with its own data, cookie, configuration and epmd, on ports of 127.0.0.1."""

    name = "rabbitmq"
    title = "RabbitMQ"
    port_names: ClassVar[tuple[str, ...]] = ("amqp", "distribution", "epmd")
    main_program = "beam.smp"
    programs = frozenset(
        {"rabbitmq-server", "erl", "erlexec", "beam.smp", "erl_child_setup", "inet_gethost", "epmd"}
    )
    polite_signal = signal.SIGTERM  # Erlang stops its applications in order
    not_ready_yet = (OSError, AMQPError)

    @property
    def account(self) -> Account:
        return our_own()

    @property
    def url(self) -> str:
        """The AMQP address of the default vhost."""
        identity = self._known()
        return f"amqp://{USER}:{identity.password}@{ports.ADDRESS}:{identity.ports['amqp']}/"

    @property
    def node(self) -> str:
        """The Erlang node's name. The data belongs to it, so it does not change with the ports."""
        return f"alertops-{key_of(self.root)}@localhost"

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl against the node (a second or two); returns what it prints."""
        # Without a node, rabbitmqctl would start an epmd that nobody ends.
        if not self.is_running():
            raise LocalStackError("RabbitMQ is not running: run 'python -m deploy.local up'.")
        return self._ctl(*arguments)

    def _ctl(self, *arguments: str) -> str:
        """The same for a node that takes no clients at the moment, but whose Erlang is up."""
        done = subprocess.run(
            [binaries.rabbitmq_folder() / "rabbitmqctl", "--quiet", "--node", self.node, *arguments],
            check=False,
            cwd=self.root,  # not the home: it is not to be taken for a part of the server
            env=self._environment(),
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise LocalStackError(f"rabbitmqctl {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout

    def create_vhost(self, name: str) -> str:
        """Make a vhost, empty and ours; returns its address."""
        self.ctl("add_vhost", name)
        self.ctl("set_permissions", "--vhost", name, USER, ".*", ".*", ".*")
        return self.url + name

    def delete_vhost(self, name: str) -> None:
        """Delete a vhost with all of its queues and messages."""
        self.ctl("delete_vhost", name)

    def wipe(self) -> None:
        """Lose every queue and message, as a broker does whose disk was replaced; it must be stopped."""
        if processes.living(self.home, self.programs):
            raise LocalStackError("RabbitMQ is running: stop it before its data is wiped.")
        self._complete.unlink(missing_ok=True)
        if self._data.exists():
            shutil.rmtree(self._data)

    def start(self) -> None:
        """Come up; from then on the data counts as complete."""
        super().start()
        self._complete.touch()

    @property
    def _data(self) -> Path:
        return self.home / "mnesia"

    @property
    def _complete(self) -> Path:
        """The mark of a first start that went through; RabbitMQ cannot go on from half a first start."""
        return self.home / "complete"

    def _probe(self) -> None:
        identity = self._known()
        address = f"{ports.ADDRESS}:{identity.ports['amqp']}"
        # Not kombu's Connection, which tries again by itself, after a pause of two seconds.
        with Connection(address, userid=USER, password=identity.password, connect_timeout=5) as connection:
            version = connection.server_properties["version"]  # type: ignore[attr-defined]
        if tuple(int(number) for number in version.split(".")[:2]) < OLDEST:
            needed = ".".join(str(number) for number in OLDEST)
            raise LocalStackError(f"RabbitMQ {version} is too old: install {needed} or newer and try again.")

    def _prepare(self) -> None:
        if not self._complete.exists():
            self.wipe()
        for folder in (self._data, self.home / "conf.d"):
            folder.mkdir(exist_ok=True)
        self._write("enabled_plugins", "[].\n")
        self._write("environment.conf", "")
        self._write("rabbitmq.conf", self._configuration())
        if not (self.home / ".erlang.cookie").exists():
            self._write(".erlang.cookie", secrets.token_hex(20))

    def _write(self, name: str, content: str) -> None:
        file = self.home / name
        file.touch(mode=0o600)
        file.write_text(content)

    def _configuration(self) -> str:
        identity = self._known()
        return "\n".join(
            (
                f"listeners.tcp.local = {ports.ADDRESS}:{identity.ports['amqp']}",
                f"default_user = {USER}",  # in place of guest
                f"default_pass = {identity.password}",
                "",
            )
        )

    def _environment(self) -> dict[str, str]:
        """Ours, but nothing in it, nor in the system's folders, may configure the node from outside."""
        identity = self._known()
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))
        }
        return inherited | {
            "HOME": str(self.home),  # of the Erlang cookie
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": ports.ADDRESS,
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_NODE_IP_ADDRESS": ports.ADDRESS,
            "RABBITMQ_NODE_PORT": str(identity.ports["amqp"]),
            "RABBITMQ_DIST_PORT": str(identity.ports["distribution"]),
            "RABBITMQ_MNESIA_BASE": str(self._data),
            "RABBITMQ_LOG_BASE": str(self.home),
            "RABBITMQ_LOGS": "-",  # to the output, which is the server's one log
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(self.home / "environment.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(self.home / "conf.d"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.home / "advanced.config"),
            "RABBITMQ_ALLOW_INPUT": "true",  # the script becomes the server instead of watching it
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG_ARGUMENTS,
        }

    @property
    def _epmd_port(self) -> int:
        return self._known().ports["epmd"]

    def _launch(self) -> None:
        self._launch_program(binaries.epmd(), "-port", str(self._epmd_port))
        self._await_epmd()
        self._launch_server()

    def _launch_server(self) -> None:
        self._launch_program(binaries.rabbitmq_folder() / "rabbitmq-server")

    def _launch_program(self, *command: str | Path) -> None:
        processes.launch(
            command,
            folder=self.home,
            log=self.log,
            account=self.account,
            environment=self._environment(),
        )

    def _await_epmd(self) -> None:
        """Erlang would start an epmd of its own, one that leaves our folder, if ours were not there."""
        deadline = time.monotonic() + self.vanish_seconds
        while not ports.is_accepting(self._epmd_port):
            if time.monotonic() > deadline:
                raise self._did_not_start(TimeoutError("its epmd does not answer"))
            time.sleep(processes.POLL_SECONDS)
