"""Makes the secrets of a new installation: `python -m deploy.first_secrets deploy/secrets [--domain NAME]`.

    alertops.env        addresses with their passwords, and the keys that sign links and seal secrets
    flower.env          the name and password that Flower asks for
    postgres.env, rabbitmq.env     the same passwords, for the servers' containers
    signing-keys.pem    the keys that sign access tokens
    tls/                a certificate that nobody else trusts, to begin with

The names of the hosts are those of `compose.yaml`, and mail goes to its sink: who runs something else edits
`alertops.env`. What is there already is never written over: the database is sealed with these keys.
"""

import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from alertops.secret_box import new_key
from alertops.signing_keys import generate_keys

# The account that the image runs its processes under.
CONTAINER_USER = 10001
CERTIFICATE_DAYS = 397


def make_secrets(folder: Path, domain: str) -> None:
    """Fill the folder, which must not be there; nobody but its owner can enter it."""
    folder.mkdir(mode=0o700, parents=True)
    database, broker = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    _write_environment(
        folder / "alertops.env",
        ALERTOPS_DATABASE_URL=f"postgresql+psycopg2://alertops:{database}@postgres:5432/alertops",
        ALERTOPS_BROKER_URL=f"amqp://alertops:{broker}@rabbitmq:5672/",
        ALERTOPS_LINK_KEYS=secrets.token_urlsafe(32),
        ALERTOPS_SECRETS_KEYS=new_key(),
        ALERTOPS_SMTP_HOST="mail",
        ALERTOPS_SMTP_PORT="1025",
        ALERTOPS_SMTP_SECURITY="none",
        ALERTOPS_MAIL_FROM="alerts@example.com",
    )
    _write_environment(folder / "flower.env", FLOWER_BASIC_AUTH=f"alertops:{secrets.token_urlsafe(24)}")
    _write_environment(folder / "postgres.env", POSTGRES_PASSWORD=database)
    _write_environment(folder / "rabbitmq.env", RABBITMQ_DEFAULT_PASS=broker)
    generate_keys(folder / "signing-keys.pem")
    _make_certificate(folder / "tls", domain)


def _write_environment(file: Path, **variables: str) -> None:
    """As Docker, systemd and kustomize read it: one variable a line, without quotes."""
    _write(file, "".join(f"{name}={value}\n" for name, value in variables.items()).encode())


def _write(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as output:
        output.write(content)


def _make_certificate(folder: Path, domain: str) -> None:
    """One that signs itself. Its folder is for nginx, which runs under an account of its own."""
    folder.mkdir(mode=0o755)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .sign(key, SHA256())
    )
    _write(folder / "fullchain.pem", certificate.public_bytes(Encoding.PEM))
    (folder / "fullchain.pem").chmod(0o644)
    _write(folder / "privkey.pem", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--domain", default="localhost", show_default=True, help="The host of ALERTOPS_PUBLIC_URL.")
def main(folder: Path, domain: str) -> None:
    """Make FOLDER with the secrets of a new installation."""
    if folder.exists():
        raise click.ClickException(
            f"{folder} exists; what is in it is not written over. Name another folder."
        )
    make_secrets(folder, domain)
    click.echo(f"Made {folder}. Keep it safe: without these keys nobody opens what the database has sealed.")


if __name__ == "__main__":
    main(prog_name="python -m deploy.first_secrets")
