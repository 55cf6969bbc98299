"""A flow as the text of a file, which reads back as the same."""

from __future__ import annotations

from typing import Any

import yaml

from alertops.flow_files.parse import CORE_FORMS


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # yaml has no types
    """Puts into quotes what YAML 1.1 or 1.2 would take for something else than text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# YAML reads them as ends of a line, all as the same one; escaped within quotes they stay what they are.
_LINE_ENDS = frozenset("\r\x85\u2028\u2029")


def _text(dumper: _Dumper, value: str) -> Any:
    style = '"' if _LINE_ENDS & {*value} else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
for _tag, _form, _first in CORE_FORMS:
    _Dumper.add_implicit_resolver(_tag, _form, _first)


def write_flow(content: dict[str, Any]) -> str:
    """The file that says this, in a file's words (`definition.content_of`)."""
    text: str = yaml.dump(
        content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=100
    )
    return text
