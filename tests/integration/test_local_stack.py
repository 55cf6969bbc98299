"""The private servers of a checkout keep their promises: real ones are started, killed and restarted."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psutil
import psycopg2
import pytest
from kombu import Connection

import deploy
from deploy.local import binaries, packages, ports, processes
from deploy.local.errors import LocalStackError
from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.server import Server
from deploy.local.stack import BROKER_VARIABLE, DATABASE_VARIABLE, PrivateStack, stack_from_environment

CHECKOUT = Path(deploy.__file__).parents[1]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateStack]:
    """A stack that is up; a test that takes a part of it down brings it up again."""
    # Deep, and with a space in it: no path may be too long for a socket, or be split by a script.
    root = tmp_path_factory.mktemp("first") / "a deep checkout" / ("x" * 100) / "stack"
    with PrivateStack(root) as stack:
        yield stack
    stack.remove()


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A Postgres alone, which starts in half a second; not started yet."""
    server = Postgres(tmp_path / "stack")
    yield server
    server.remove()


def command(root: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - the words are those of the tests below
        [sys.executable, "-m", "deploy.local", "--root", root, *arguments],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def living(server: Server) -> set[int]:
    return {process.pid for process in processes.living(server.home, server.programs)}


def execute(postgres: Postgres, statement: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(postgres.url.replace("+psycopg2", ""))) as session:
        session.autocommit = True
        with session.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def put(rabbitmq: RabbitMQ, queue: str, body: str) -> None:
    """Publish a persistent message; only a confirmed one is promised to outlive a kill."""
    confirmed = {"confirm_publish": True}
    with (
        Connection(rabbitmq.url, transport_options=confirmed) as connection,
        connection.SimpleQueue(queue) as simple,
    ):
        simple.put(body, delivery_mode="persistent")


def take_all(rabbitmq: RabbitMQ, queue: str) -> list[object]:
    with Connection(rabbitmq.url) as connection, connection.SimpleQueue(queue) as simple:
        bodies = []
        for _ in range(simple.qsize()):
            message = simple.get(timeout=5)
            message.ack()
            bodies.append(message.payload)
        return bodies


def test_up_twice_leaves_the_same_servers_running(stack: PrivateStack) -> None:
    before = stack.addresses, living(stack.postgres), living(stack.rabbitmq)

    assert PrivateStack(stack.root).up() == before[0]
    assert before[2] == living(stack.rabbitmq)
    assert before[1] & living(stack.postgres), "the postmaster is still the same"


def test_killed_postgres_comes_back_with_its_data_on_the_same_port(stack: PrivateStack) -> None:
    postgres, url = stack.postgres, stack.postgres.url
    execute(postgres, "CREATE TABLE kept AS SELECT 42 AS answer")

    postgres.kill()
    assert living(postgres) == set()
    assert not postgres.is_running()

    postgres.start()
    assert postgres.url == url
    assert execute(postgres, "SELECT answer FROM kept") == [(42,)]


def test_killed_rabbitmq_comes_back_with_its_messages_on_the_same_port(stack: PrivateStack) -> None:
    rabbitmq, url = stack.rabbitmq, stack.rabbitmq.url
    put(rabbitmq, "kept", "wake up")

    rabbitmq.kill()
    assert living(rabbitmq) == set()
    assert not rabbitmq.is_running()

    stack.up()
    assert rabbitmq.url == url
    assert take_all(rabbitmq, "kept") == ["wake up"]


def test_two_stacks_side_by_side_know_nothing_of_each_other(stack: PrivateStack, tmp_path: Path) -> None:
    """The second one is brought up by two commands at once, and is gone without a trace after down."""
    second = PrivateStack(tmp_path / "second")
    try:
        ups = [command(second.root, "up") for _ in range(2)]
        answers = [up.communicate(timeout=60) for up in ups]
        assert [up.returncode for up in ups] == [0, 0], answers
        assert (
            answers[0][0]
            == answers[1][0]
            == "".join(f"{variable}={url}\n" for variable, url in second.addresses.as_environment().items())
        )

        execute(second.postgres, "CREATE TABLE of_the_second ()")
        assert execute(stack.postgres, "SELECT to_regclass('of_the_second')") == [(None,)]
        put(second.rabbitmq, "of_the_second", "hello")
        assert "of_the_second" in second.rabbitmq.ctl("list_queues", "name")
        assert "of_the_second" not in stack.rabbitmq.ctl("list_queues", "name")

        pids = living(second.postgres) | living(second.rabbitmq)
        names = {psutil.Process(pid).name() for pid in pids}
        assert {"postgres", "beam.smp", "epmd"} <= names

        second.down()
        assert_ended(pids)
        assert not any(map(ports.is_accepting, all_ports(second)))
        assert stack.is_running()
    finally:
        second.remove()


def assert_ended(pids: set[int]) -> None:
    for pid in pids:
        # Where nobody collects orphans, an ended process stays in the table as a zombie.
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def all_ports(stack: PrivateStack) -> list[int]:
    identities = [stack.postgres.identity, stack.rabbitmq.identity]
    return [port for identity in identities if identity for port in identity.ports.values()]


def test_rabbitmq_that_never_finished_its_first_start_starts_afresh(stack: PrivateStack) -> None:
    rabbitmq = stack.rabbitmq
    rabbitmq.kill()
    (rabbitmq.home / "complete").unlink()
    for file in rabbitmq.home.glob("mnesia/*/schema.DAT"):
        file.write_bytes(b"half a schema")

    rabbitmq.start()
    assert rabbitmq.is_running()


def test_a_vhost_and_a_database_of_ones_own(stack: PrivateStack) -> None:
    database_url = stack.postgres.create_database("of a test")
    assert database_url.endswith("/of a test")
    stack.postgres.drop_database("of a test")

    with Connection(stack.rabbitmq.create_vhost("of-a-test")) as connection:
        connection.connect()
    stack.rabbitmq.delete_vhost("of-a-test")


def test_half_created_data_folder_is_replaced(postgres: Postgres) -> None:
    postgres.start()
    postgres.stop()
    postgres.data.rename(postgres.home / "data.new")  # as an initdb that was interrupted leaves it
    (postgres.home / "data.new" / "global" / "pg_control").unlink()

    postgres.start()
    assert execute(postgres, "SELECT 1") == [(1,)]
    assert not (postgres.home / "data.new").exists()


def test_pid_file_that_names_a_stranger_is_no_obstacle_and_no_reason_to_signal(postgres: Postgres) -> None:
    postgres.start()
    pid_file = postgres.data / "postmaster.pid"
    content = pid_file.read_text().splitlines()
    postgres.kill()
    stranger = subprocess.Popen(["/bin/sleep", "60"], **postgres.account.keywords())
    try:
        pid_file.write_text("\n".join([str(stranger.pid), *content[1:]]) + "\n")
        postgres.account.own(pid_file)

        postgres.stop()
        postgres.start()
        postgres.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_servers_whose_files_were_deleted_under_them_are_ended(postgres: Postgres) -> None:
    postgres.start()
    orphans = living(postgres)
    shutil.rmtree(postgres.root)
    shutil.rmtree(postgres.home, ignore_errors=True)

    successor = Postgres(postgres.root)
    successor.start()
    assert_ended(orphans)
    assert execute(successor, "SELECT 1") == [(1,)]


def test_hung_server_is_replaced(postgres: Postgres) -> None:
    postgres.start()
    # One that served the client of the start may end meanwhile by itself.
    hung = processes.living(postgres.home, postgres.programs)
    postgres.stop_seconds = 0.5
    processes.send(signal.SIGSTOP, hung)

    postgres.stop()
    assert_ended({process.pid for process in hung})


def test_port_that_somebody_else_has_taken_is_replaced(postgres: Postgres) -> None:
    postgres.start()
    url = postgres.url
    postgres.stop()
    assert postgres.identity
    with socket.create_server((ports.ADDRESS, postgres.identity.ports["sql"])):
        postgres.start()

    assert postgres.url != url
    assert execute(postgres, "SELECT 1") == [(1,)]


def test_copy_of_a_checkout_does_not_touch_the_original(postgres: Postgres, tmp_path: Path) -> None:
    postgres.start()
    execute(postgres, "CREATE TABLE of_the_original ()")
    shutil.copytree(postgres.root, tmp_path / "copy")
    copy = Postgres(tmp_path / "copy")
    try:
        copy.start()
        assert execute(copy, "SELECT to_regclass('of_the_original')") == [(None,)]
        assert execute(postgres, "SELECT to_regclass('of_the_original')") == [("of_the_original",)]
    finally:
        copy.remove()


def test_the_account_that_the_installation_brings_is_the_one_that_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine where Postgres is not installed yet, there is no user of that name yet either."""
    known = [SimpleNamespace(pw_name="nobody", pw_uid=65534, pw_gid=65534)]
    monkeypatch.setattr("deploy.local.account.pwd.getpwall", lambda: known)
    monkeypatch.setattr("deploy.local.account.os.geteuid", lambda: 0)
    postgres = Postgres(tmp_path)
    assert postgres.account.uid == 65534
    known.append(SimpleNamespace(pw_name="postgres", pw_uid=101, pw_gid=102))
    assert postgres.account.uid == 101


def test_failing_start_quotes_the_log_and_says_what_to_do(postgres: Postgres) -> None:
    postgres.start()
    postgres.stop()
    (postgres.data / "global" / "pg_control").unlink()
    postgres.vanish_seconds = 1

    with pytest.raises(LocalStackError, match=r"(?s)did not start.*pg_control.*down --remove"):
        postgres.start()


def test_servers_named_by_the_environment_are_used_and_left_alone(
    stack: PrivateStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = stack.addresses
    monkeypatch.setenv(DATABASE_VARIABLE, named.database_url)
    monkeypatch.setenv(BROKER_VARIABLE, named.broker_url)

    with stack_from_environment(tmp_path) as guest:
        assert guest.servers == []
        assert guest.addresses == named
    assert stack.is_running()

    own = stack_from_environment(stack.root)
    assert len(own.servers) == 2, "told by `env`, our own addresses are still ours to start and stop"


@pytest.mark.parametrize(("package", "title"), [("postgresql", "Postgres"), ("rabbitmq-server", "RabbitMQ")])
def test_missing_program_is_said_in_one_sentence(
    package: str, title: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "POSTGRES_FOLDERS", ())
    monkeypatch.setattr(binaries, "RABBITMQ_FOLDERS", ())
    monkeypatch.setattr(packages, "can_install", lambda: False)

    with pytest.raises(LocalStackError, match=rf"^{title} is not installed: run '.+' and try again\.$"):
        binaries.ensure_installed([package])


@pytest.mark.skipif(os.geteuid() != 0, reason="acts on the system's folders as root")
@pytest.mark.parametrize("already_there", ["", packages.START_NO_SERVICE, "#!/bin/sh\nexit 0\n"])
def test_failing_install_leaves_the_policy_on_services_as_it_was(
    already_there: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A policy of ours that is there was left by a killed run: it counts as none."""
    policy = tmp_path / "policy-rc.d"
    if already_there:
        policy.write_text(already_there)
    monkeypatch.setattr(packages, "POLICY", policy)
    monkeypatch.setattr(packages, "APT_UPDATE", ["true"])
    monkeypatch.setattr(packages, "APT_INSTALL", ["sh", "-c", f"cat {policy}; exit 100"])

    with pytest.raises(LocalStackError, match=r"(?s)could not install a-package.*exit (101|0)"):
        packages.install(lambda: ["a-package"], print)

    foreign = "" if already_there == packages.START_NO_SERVICE else already_there
    assert (policy.read_text() if policy.exists() else "") == foreign


def test_command_fails_with_a_sentence_and_no_traceback(tmp_path: Path) -> None:
    failing = command(tmp_path, "env")
    output, errors = failing.communicate(timeout=30)

    assert failing.returncode == 1
    assert output == ""
    assert errors == "Error: Postgres has not been started: run 'python -m deploy.local up'.\n"
