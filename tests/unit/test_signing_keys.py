"""The file of keys: what is accepted, what rotation does, and that nothing of it is ever shown."""

from __future__ import annotations

from pathlib import Path
from stat import S_IMODE

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from jwt import PyJWK

from alertops.cli import main
from alertops.errors import SigningKeysError
from alertops.signing_keys import RETIRED_KEYS, KeyRing, generate_keys, key_id, read_keys, rotate_keys


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.pem"


def private_ids(ring: KeyRing) -> list[str]:
    return [key_id(key.public_key()) for key in ring.private]


def test_new_keys_are_read_back_as_they_were_made(file: Path) -> None:
    made = generate_keys(file)
    read = read_keys(file)
    assert private_ids(read) == private_ids(made)
    assert len(private_ids(made)) == 2
    assert read.signing_id == private_ids(made)[0]
    assert list(read.verifying) == private_ids(made)


def test_a_file_of_keys_is_its_owners_alone_and_is_never_overwritten(file: Path) -> None:
    generate_keys(file)
    assert S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    with pytest.raises(SigningKeysError, match="not overwritten"):
        generate_keys(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o660, 0o644, 0o777])
def test_a_file_that_others_can_open_is_refused(file: Path, mode: int) -> None:
    generate_keys(file)
    file.chmod(mode)
    with pytest.raises(SigningKeysError, match=f"mode {mode:04o}"):
        read_keys(file)


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640])
def test_a_file_that_the_owner_or_the_group_can_read_is_fine(file: Path, mode: int) -> None:
    generate_keys(file)
    file.chmod(mode)
    read_keys(file)


def test_what_signs_next_is_known_before_it_signs(file: Path) -> None:
    before = generate_keys(file)
    for _ in range(4):
        after = rotate_keys(file)
        assert after.signing_id != before.signing_id
        assert after.signing_id in before.verifying, "a process with the old file would refuse new tokens"
        assert before.signing_id in after.verifying, "a process with the new file would refuse old tokens"
        before = after
    assert private_ids(read_keys(file)) == private_ids(before)


def test_a_retired_key_loses_its_private_half_and_is_dropped_after_some_rotations(file: Path) -> None:
    first = generate_keys(file).signing_id
    for _ in range(RETIRED_KEYS):
        ring = rotate_keys(file)
        assert first in ring.verifying
        assert first not in private_ids(ring)
    assert first not in rotate_keys(file).verifying
    assert file.read_text().count("PRIVATE KEY-----") == 2 * 2
    assert file.read_text().count("PUBLIC KEY-----") == 2 * RETIRED_KEYS


def test_a_file_with_a_single_key_gets_its_next_one_and_signs_as_before(file: Path) -> None:
    ring = KeyRing((Ed25519PrivateKey.generate(),), ())
    file.write_bytes(ring.as_pem())
    file.chmod(0o600)
    assert rotate_keys(file).signing_id == ring.signing_id
    assert rotate_keys(file).signing_id != ring.signing_id


def test_rotation_keeps_the_mode_and_follows_links(file: Path, tmp_path: Path) -> None:
    generate_keys(file)
    file.chmod(0o640)
    link = tmp_path / "link.pem"
    link.symlink_to(file)
    rotated = rotate_keys(link)
    assert link.is_symlink()
    assert S_IMODE(file.stat().st_mode) == 0o640
    assert read_keys(file).signing_id == rotated.signing_id


def test_two_rotations_do_not_run_at_once(file: Path) -> None:
    signing = generate_keys(file).signing_id
    file.with_name("keys.pem.new").touch()
    with pytest.raises(SigningKeysError, match="another rotation"):
        rotate_keys(file)
    assert read_keys(file).signing_id == signing


def test_a_kid_is_the_thumbprint_that_everybody_computes() -> None:
    # The key of RFC 8037, appendix A, and its thumbprint there.
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert key_id(PyJWK(jwk, algorithm="EdDSA").key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def pem(key: object, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    encoded: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)  # type: ignore[attr-defined]
    return encoded


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "no private key", id="empty"),
        pytest.param(b"not PEM at all", "no private key", id="no PEM"),
        pytest.param(KeyRing.new().as_pem().replace(b"MC4C", b"MC5C"), "key 1 is damaged", id="damaged"),
        pytest.param(pem(Ed25519PrivateKey.generate(), b"secret"), "encrypted", id="encrypted"),
        pytest.param(
            pem(generate_private_key(SECP256R1())), "key 1 is not an Ed25519 key", id="another kind"
        ),
        pytest.param(b"x" * 70_000, "too large", id="too large"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_and_none_of_it_is_shown(
    file: Path, content: bytes, said: str
) -> None:
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(SigningKeysError, match=said) as caught:
        read_keys(file)
    assert str(file) in str(caught.value)
    assert caught.value.__cause__ is None or isinstance(caught.value.__cause__, OSError)
    for line in content.splitlines()[1:-1]:
        assert line.decode() not in str(caught.value)


def test_a_missing_file_and_a_public_key_alone_are_said(file: Path) -> None:
    with pytest.raises(SigningKeysError, match="cannot be read: No such file"):
        read_keys(file)
    ring = KeyRing.new().rotated()
    file.write_bytes(ring.as_pem().split(b"-----BEGIN PUBLIC KEY")[-1].join([b"-----BEGIN PUBLIC KEY", b""]))
    file.chmod(0o600)
    with pytest.raises(SigningKeysError, match="no private key"):
        read_keys(file)


def test_keys_do_not_show_when_they_are_printed() -> None:
    ring = KeyRing.new()
    assert "Ed25519" not in repr(ring)
    assert "PRIVATE" not in f"{ring}"


def alertops_keys(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments], env={"ALERTOPS_JWT_KEYS_FILE": ""})


def test_an_operator_makes_lists_and_rotates_keys_and_sees_no_secret(file: Path) -> None:
    made = alertops_keys("generate", str(file))
    assert made.exit_code == 0, made.output
    listed = alertops_keys("list", str(file))
    assert listed.output == made.output
    signs, next_ = (line.split()[1] for line in listed.output.splitlines())
    rotated = alertops_keys("rotate", str(file))
    assert rotated.exit_code == 0, rotated.output
    assert f"signs     {next_}" in rotated.output
    assert f"verifies  {signs}" in rotated.output
    assert "HUP" in rotated.output
    secrets = [line for line in file.read_text().splitlines() if "-----" not in line]
    assert not any(secret in made.output + rotated.output for secret in secrets)


def test_the_command_says_what_is_wrong_in_a_sentence(file: Path) -> None:
    missing = alertops_keys("rotate", str(file))
    assert missing.exit_code == 1
    assert "cannot be read: No such file or directory." in missing.output
    assert alertops_keys("generate", str(file)).exit_code == 0
    assert "is not overwritten." in alertops_keys("generate", str(file)).output
