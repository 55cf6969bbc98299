"""What is wrong with a file is told at its place, and hostile files do no harm."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from alertops.flow_files.definition import definition_of, path_in_file
from alertops.flow_files.faults import FlowFileError
from alertops.flow_files.read import MAX_BYTES, FlowFile, read_flow, read_flow_file

NODE = "{name: a, delay: 0, recipient: {type: email, email: a@example.org}}"


def faults(text: str) -> list[str]:
    with pytest.raises(FlowFileError) as caught:
        read_flow(text, "db.yaml")
    return str(caught.value).splitlines()


def of_bytes(tmp_path: Path, data: bytes) -> FlowFile:
    file = tmp_path / "db.yaml"
    file.write_bytes(data)
    return read_flow_file(file)


def test_every_fault_is_told_at_its_line() -> None:
    text = """name: Database down
ack_timeout: 10s
nodes:
  - name: on call
    recipient: {type: user, email: ann@example.org}
    delay: 30
    retry: {max_attempts: 50, backoff_seconds: 10, backoff: 2x}
  - name: on call
    delay_seconds: 300
    recipient:
      type: group
      recipients:
        - {type: role, role: boss}
        - {type: group, recipients: []}
"""
    assert faults(text) == [
        "db.yaml:2:1: ack_timeout: Must be from 1m to 90d.",
        "db.yaml:6:5: nodes[0].delay: Say the unit: 30s, 30m or 30h.",
        "db.yaml:7:13: nodes[0].retry.max_attempts: Must be at most 20.",
        "db.yaml:7:31: nodes[0].retry.backoff_seconds: In files it is `backoff`, with a unit: `backoff: 5m`.",
        "db.yaml:7:52: nodes[0].retry.backoff: Must be a duration, such as 90s, 5m or 1h30m.",
        "db.yaml:8:5: nodes[1].name: Another node is called 'on call' too.",
        "db.yaml:8:5: nodes[1]: `delay` is missing.",
        "db.yaml:9:5: nodes[1].delay_seconds: In files it is `delay`, with a unit: `delay: 5m`.",
        "db.yaml:13:24: nodes[1].recipient.recipients[0].role: Must be one of: owner, admin, member, viewer.",
        "db.yaml:14:12: nodes[1].recipient.recipients[1].type: A group cannot have a group in it.",
        "db.yaml:14:25: nodes[1].recipient.recipients[1].recipients: Must have at least 2.",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "db.yaml: The file is empty."),
        ("# nothing", "db.yaml: The file is empty."),
        ("- a", "db.yaml: Must be members with names."),
        ("name: [", "db.yaml:1:8: Not YAML: "),
        ("name: a\n\tb: c", "db.yaml:2:1: A tab; YAML is indented with spaces."),
        ("name: a\nname: b", "db.yaml:2:1: name: Stands here twice."),
        ("{a: 1}\n---\n{b: 1}", "db.yaml:2:1: A second document begins here"),
        ("a: *b", "db.yaml:1:4: Not YAML: found undefined alias"),
        ("a: !!python/object/apply:os.system [id]", "db.yaml:1:4: a: The tag "),
        ("a: !mine b", "db.yaml:1:4: a: The tag "),
        ("a: !!int x", "db.yaml:1:4: a: Not a value of the kind"),
        ("? [a]\n: b", "db.yaml:1:3: The name of a member must be text."),
        ("1: a", "db.yaml:1:1: The name of a member must be text."),
        ('name: "\\0"', "db.yaml:1:7: name: Must not contain NUL"),
        ('name: "\\ud800"', "db.yaml:1:7: name: Must not contain NUL or lone surrogate"),
        ("name: \x07", "db.yaml:1:7: A character that YAML does not allow: 0x7."),
        ("a: " + "9" * 5000, "db.yaml:1:4: a: A number of more than 100 digits."),
    ],
)
def test_what_is_no_flow_is_told(text: str, said: str) -> None:
    assert any(fault.startswith(said) for fault in faults(text)), faults(text)


def _billion_laughs() -> str:
    """Nine lists of ten, each of the one before."""
    lists = [f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]" for before, name in pairwise("abcdefghij")]
    return "\n".join(["a: &a [x]", *lists])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [*a]", "An alias here contains itself."),
        ("a: &a {b: {c: *a}}", "An alias here contains itself."),
        ("[" * 100_000, "Nested more than 12 levels deep."),
        ("{a: " * 50_000, "Nested more than 12 levels deep."),
        ("a: [" + "x," * 50_000 + "]", "More than 10000 values."),
        (_billion_laughs(), "Its aliases stand for more than 10000 values."),
    ],
    ids=["cycle", "far cycle", "deep lists", "deep members", "many", "billion laughs"],
)
def test_a_hostile_file_costs_next_to_nothing(text: str, said: str) -> None:
    began = time.process_time()
    assert said in faults(text)[0]
    assert time.process_time() - began < 5


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(FlowFileError, match="More than 256 KiB"):
        of_bytes(tmp_path, b"#" * (10 * 1024 * 1024))
    assert of_bytes(tmp_path, f"name: x\nnodes: [{NODE}]\n#".encode().ljust(MAX_BYTES, b"#")).name == "x"


def test_what_is_not_utf8_is_told(tmp_path: Path) -> None:
    with pytest.raises(FlowFileError, match="Not UTF-8: byte 6"):
        of_bytes(tmp_path, "name: Größe".encode("latin-1").replace(b"Gr", b""))
    assert of_bytes(tmp_path, b"\xef\xbb\xbf" + f"name: Größe\nnodes: [{NODE}]".encode()).name == "Größe"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(FlowFileError, match="Cannot be read: "):
            read_flow_file(path)


def test_words_are_words_and_aliases_are_what_they_stand_for() -> None:
    text = f"""
    name: on
    description: 2026-01-31
    repeat: 2.0
    nodes:
      - &first {NODE}
      - {{name: yes, delay: 010m, recipient: &r {{type: email, email: b@example.org}}}}
      - {{name: no, delay: 1h, recipient: *r}}
    """
    content = read_flow(text, "x.yaml").content
    assert (content["name"], content["description"], content["repeat"]) == ("on", "2026-01-31", 2)
    assert [node["name"] for node in content["nodes"]] == ["a", "yes", "no"]
    assert content["nodes"][1]["recipient"] == content["nodes"][2]["recipient"]


def test_somebody_who_is_not_in_the_team_is_told_at_the_line() -> None:
    text = """name: x
nodes:
  - name: a
    delay: 0
    recipient: {type: user, email: eve@example.org}
  - name: b
    delay: 0
    recipient:
      type: group
      recipients:
        - {type: user, email: ann@example.org}
        - {type: user, email: mallory@example.org}
"""
    with pytest.raises(FlowFileError) as caught:
        definition_of(read_flow(text, "x.yaml"), {"ann@example.org": "1"})
    assert str(caught.value).splitlines() == [
        "x.yaml:5:29: nodes[0].recipient.email: No member of the team has this address.",
        "x.yaml:12:24: nodes[1].recipient.recipients[1].email: No member of the team has this address.",
    ]


def test_a_pointer_of_the_api_finds_its_place_in_the_file() -> None:
    document = read_flow(f"name: x\nnodes: [{NODE}]", "x.yaml").document
    for pointer, place in [
        ("/nodes/0/delay_seconds", "x.yaml:2:19: nodes[0].delay: "),
        ("/nodes/0/recipient/user_id", "x.yaml:2:54: nodes[0].recipient.email: "),
        ("/nodes/0/retry/budget_seconds", "x.yaml:2:9: nodes[0].retry.budget: "),
        ("/name", "x.yaml:1:1: name: "),
        ("", "x.yaml: "),
    ]:
        path = path_in_file(pointer)
        assert str(document.fault(path, "no")).startswith(place.rstrip())
