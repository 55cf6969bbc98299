"""YAML text -> plain values, as JSON has them, and the place of each in the text.

Scalars mean what they mean in YAML 1.2: `on` and `yes` are words, `010` is ten, a date is text. Nothing but
what JSON can say is let in: no tags, no keys that are not text, no key twice, one document.

What a hostile file could do is bounded before it is done. Events are counted as they are parsed, so that
depth never becomes recursion. An alias is followed like what it stands for, and counted, so that a few that
stand for each other cannot become billions of values; one that contains itself is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from alertops.flow_files.faults import Fault, FlowFileError, Path, Place

MAX_DEPTH = 12  # a recipient in a group is at the fifth level
MAX_VALUES = 10_000  # fifty nodes, and all that each can say, are a fifth of that
MAX_DIGITS = 100

_STR, _NULL, _BOOL, _INT, _FLOAT, _SEQ, _MAP = (
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "null", "bool", "int", "float", "seq", "map")
)
# The core schema of YAML 1.2, and for each form the characters that it can start with.
CORE_FORMS = (
    (_NULL, re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""]),
    (_BOOL, re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")),
    (_INT, re.compile(r"[-+]?[0-9]+\Z"), list("-+0123456789")),
    (
        _FLOAT,
        re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z"),
        list("-+.0123456789"),
    ),
)
_FORM_OF = {tag: form for tag, form, _ in CORE_FORMS}

# What YAML can escape and a text of the database cannot hold.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Finds structure and marks; that values are only what the core schema says, is seen to below."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  read from the class


for _tag, _form, _first in CORE_FORMS:
    _Loader.add_implicit_resolver(_tag, _form, _first)


@dataclass(frozen=True)
class Document:
    """A file's values; where each member's name stands, or each item of a list."""

    file: str
    value: Any
    places: dict[Path, Place]

    def fault(self, path: Path, detail: str) -> Fault:
        """A fault at this path, or as near as the file has something to point at."""
        known = next((path[:end] for end in range(len(path), 0, -1) if path[:end] in self.places), ())
        return Fault(self.file, detail, self.places.get(known), path)


def parse(text: str, file: str) -> Document:
    """The values in the text; `file` is what faults call it. Raises `FlowFileError`."""
    try:
        _require_bounds(text, file)
        node = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as error:
        _refuse(file, _in_words(error), error.problem_mark or error.context_mark)
    except yaml.reader.ReaderError as error:
        place = _place_of(text, error.position)
        raise FlowFileError(
            [Fault(file, f"A character that YAML does not allow: {error.character:#x}.", place)]
        ) from None
    if node is None:
        raise FlowFileError([Fault(file, "The file is empty.")])
    reader = _Reader(file)
    return Document(file, reader.value(node, (), ()), reader.places)


def _require_bounds(text: str, file: str) -> None:
    depth = values = documents = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        documents += isinstance(event, yaml.DocumentStartEvent)
        values += isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH:
            _refuse(file, f"Nested more than {MAX_DEPTH} levels deep.", event.start_mark)
        if values > MAX_VALUES:
            _refuse(file, f"More than {MAX_VALUES} values.", event.start_mark)
        if documents > 1:
            _refuse(file, "A second document begins here; a file is one flow.", event.start_mark)


class _Reader:
    """Turns nodes into values, and remembers where they stand."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[Path, Place] = {}
        self._count = 0

    def value(self, node: Any, path: Path, within: tuple[Any, ...]) -> Any:
        """`within` are the nodes that this one is inside of."""
        self._count += 1
        if self._count > MAX_VALUES:
            _refuse(self.file, f"Its aliases stand for more than {MAX_VALUES} values.", node.start_mark, path)
        if any(node is outer for outer in within):
            _refuse(self.file, "An alias here contains itself.", node.start_mark, path)
        if len(within) > MAX_DEPTH:
            _refuse(self.file, f"Nested more than {MAX_DEPTH} levels deep.", node.start_mark, path)
        inside = (*within, node)
        if node.tag == _MAP and isinstance(node, yaml.MappingNode):
            return {name: self.value(inner, at, inside) for name, inner, at in self._members(node, path)}
        if node.tag == _SEQ and isinstance(node, yaml.SequenceNode):
            return [self.value(inner, at, inside) for inner, at in self._items(node, path)]
        return self._scalar(node, path)

    def _members(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, Any, Path]]:
        seen: set[str] = set()
        for key, inner in node.value:
            if key.tag != _STR or not isinstance(key, yaml.ScalarNode):
                _refuse(self.file, "The name of a member must be text.", key.start_mark, path)
            name = self._scalar(key, path)
            if name in seen:
                _refuse(self.file, "Stands here twice.", key.start_mark, (*path, name))
            seen.add(name)
            self.places[(*path, name)] = _place(key.start_mark)
            yield name, inner, (*path, name)

    def _items(self, node: yaml.SequenceNode, path: Path) -> Iterator[tuple[Any, Path]]:
        for position, inner in enumerate(node.value):
            self.places[(*path, position)] = _place(inner.start_mark)
            yield inner, (*path, position)

    def _scalar(self, node: Any, path: Path) -> Any:
        form = _FORM_OF.get(node.tag)
        if not isinstance(node, yaml.ScalarNode) or (node.tag != _STR and form is None):
            _refuse(self.file, f"The tag {node.tag} is not allowed here.", node.start_mark, path)
        if form is not None and not form.match(node.value):
            _refuse(
                self.file, f"Not a value of the kind that its tag says: {node.tag}.", node.start_mark, path
            )
        if _UNSTORABLE.search(node.value):
            _refuse(self.file, "Must not contain NUL or lone surrogate characters.", node.start_mark, path)
        return self._plain(node, path)

    def _plain(self, node: yaml.ScalarNode, path: Path) -> Any:
        if node.tag == _STR:
            return node.value
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return node.value.lower() == "true"
        if len(node.value) > MAX_DIGITS:
            _refuse(self.file, f"A number of more than {MAX_DIGITS} digits.", node.start_mark, path)
        number = float(node.value) if node.tag == _FLOAT else int(node.value)
        # As JSON Schema has it: 2.0 is a whole number.
        return int(number) if isinstance(number, float) and number.is_integer() else number


def _refuse(file: str, detail: str, mark: Any, path: Path = ()) -> NoReturn:
    raise FlowFileError([Fault(file, detail, _place(mark) if mark else None, path)])


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


def _place_of(text: str, position: int) -> Place:
    before = text[:position]
    return Place(before.count("\n") + 1, position - before.rfind("\n"))


def _in_words(error: Any) -> str:
    problem = error.problem or error.context
    if "'\\t'" in problem:
        return "A tab; YAML is indented with spaces."
    return f"Not YAML: {problem}."
