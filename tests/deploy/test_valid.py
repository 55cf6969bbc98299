"""The files under deploy/ are what those who read them take: each is asked of a checker of that very kind.

Compose's schema is that of its specification, https://github.com/compose-spec/compose-spec (Apache 2.0), as
check-jsonschema brings it; those of Kubernetes come with kubernetes-validate.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy.first_secrets import make_secrets
from tests.deploy.deployed import BASE, BIN, COMPOSE, DEPLOY, SYSTEMD, manifests

# Kinds of which there is no schema to be had: those of KEDA.
WITHOUT_SCHEMA = {"ScaledObject", "TriggerAuthentication"}
SYSTEMD_ANALYZE = shutil.which("systemd-analyze")
KUBECTL = shutil.which("kubectl")
# Of 10, where 10 is no protection at all.
MOST_EXPOSED = 20
needs_systemd = pytest.mark.skipif(SYSTEMD_ANALYZE is None, reason="systemd-analyze comes with systemd")


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own words
        command,
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **variables},
    )


def test_compose_file_is_of_its_specification() -> None:
    checked = run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_compose_names_nothing_that_is_not_there() -> None:
    said = yaml.safe_load(COMPOSE.read_text())
    for name, service in said["services"].items():
        assert set(service.get("depends_on", ())) <= set(said["services"]), name
        assert set(service["networks"]) <= set(said["networks"]), name
        assert set(service.get("secrets", ())) <= set(said["secrets"]), name
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in said["services"][other], f"{name} waits for {other}, which has none"


def test_every_service_is_bounded_and_closed() -> None:
    for name, service in yaml.safe_load(COMPOSE.read_text())["services"].items():
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}, name
        assert "no-new-privileges:true" in service["security_opt"], name
        if "build" in service:
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
    published = [
        port
        for name, service in yaml.safe_load(COMPOSE.read_text())["services"].items()
        for port in service.get("ports", ())
        if name != "proxy"
    ]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_secrets_that_compose_names_are_made(tmp_path: Path) -> None:
    make_secrets(tmp_path / "secrets", "localhost")
    made = {f"secrets/{file.name}" for file in (tmp_path / "secrets").iterdir()}
    said = yaml.safe_load(COMPOSE.read_text())
    named = {file for service in said["services"].values() for file in service.get("env_file", ())}
    named |= {secret["file"] for secret in said["secrets"].values()}
    assert named | {"secrets/tls"} == made
    with pytest.raises(FileExistsError):
        make_secrets(tmp_path / "secrets", "localhost")


def test_dockerfile_has_nothing_that_its_linter_minds() -> None:
    checked = run("hadolint", DEPLOY / "Dockerfile")
    assert checked.returncode == 0, checked.stdout


def validate(document: dict[str, Any]) -> None:
    if document["kind"] not in WITHOUT_SCHEMA:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize(
    "document", manifests(), ids=lambda document: f"{document['kind']} {document['metadata']['name']}"
)
def test_manifest_is_of_its_kind(document: dict[str, Any]) -> None:
    validate(document)


def test_every_pod_is_closed() -> None:
    pods = [document for document in manifests() if document["kind"] in {"Deployment", "Job"}]
    assert pods
    for pod in pods:
        spec = pod["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert not spec["automountServiceAccountToken"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]


@pytest.mark.skipif(KUBECTL is None, reason="kubectl, which has kustomize in it, is not installed")
def test_overlay_becomes_manifests(tmp_path: Path) -> None:
    shutil.copytree(BASE.parent, tmp_path / "kubernetes")
    overlay = tmp_path / "kubernetes" / "overlays" / "example"
    make_secrets(overlay / "secrets", "alerts.example.com")
    built = run("kubectl", "kustomize", overlay, HOME=str(tmp_path))
    assert built.returncode == 0, built.stderr
    documents = list(yaml.safe_load_all(built.stdout))
    for document in documents:
        validate(document)
        assert document["metadata"]["namespace"] == "alertops"
    images = {
        container["image"]
        for document in documents
        if document["kind"] in {"Deployment", "Job"}
        for container in document["spec"]["template"]["spec"]["containers"]
    }
    assert images == {"registry.example.com/alertops:0.1.0"}


@pytest.fixture
def unit_folder(tmp_path: Path) -> Path:
    """The units, for a machine that has the programs where this one has them."""
    folder = tmp_path / "units"
    shutil.copytree(SYSTEMD, folder)
    for file in folder.glob("*.service"):
        file.write_text(file.read_text().replace(BIN, f"{Path(sys.executable).parent}/"))
    return folder


@needs_systemd
def test_units_are_what_systemd_reads(unit_folder: Path) -> None:
    names = [file.name for file in (*unit_folder.glob("*.service"), *unit_folder.glob("*.target"))]
    assert len(names) == 7
    # The colon: systemd's own units, such as network-online.target, are there too.
    checked = run("systemd-analyze", "verify", "--man=no", *names, SYSTEMD_UNIT_PATH=f"{unit_folder}:")
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("name", ["api", "fire", "send", "hook", "flower", "migrate"])
def test_unit_is_exposed_to_little(unit_folder: Path, name: str) -> None:
    checked = run(
        *("systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager"),
        unit_folder / f"alertops-{name}.service",
        SYSTEMD_UNIT_PATH=f"{unit_folder}:",
    )
    assert checked.returncode == 0, checked.stdout
