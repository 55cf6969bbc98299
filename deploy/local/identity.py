"""What a server keeps for life: its home folder, its password, its ports."""

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from deploy.local import ports
from deploy.local.errors import LocalStackError


@dataclass(frozen=True)
class Identity:
    """One server of one stack, as its file in the stack's root remembers it."""

    root: str
    home: str
    password: str
    ports: dict[str, int]

    @classmethod
    def new(cls, root: Path, home: Path) -> Self:
        """An identity with a password of its own and no ports yet."""
        return cls(str(root), str(home), secrets.token_urlsafe(24), {})

    @classmethod
    def read(cls, file: Path, root: Path) -> Self | None:
        """The identity in the file; None when there is none, or when it is that of another root.

        A checkout that was copied or moved brings the file along, but not the right to those servers.
        """
        if not file.exists():
            return None
        try:
            identity = cls(**json.loads(file.read_text()))
        except (ValueError, TypeError) as error:
            raise LocalStackError(f"{file} is damaged: delete it, and the next start is afresh.") from error
        return identity if identity.root == str(root) else None

    def write(self, file: Path) -> None:
        """Write the file at once or not at all, readable by us alone."""
        unfinished = file.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as output:
            json.dump(asdict(self), output, indent=2)
        unfinished.replace(file)

    def with_free_ports(self, names: Sequence[str]) -> Self:
        """The same, with the remembered ports, except those which somebody else has taken meanwhile."""
        kept = {name: port for name, port in self.ports.items() if ports.is_free(port)}
        for name in names:
            if name not in kept:
                kept[name] = ports.choose()
        return replace(self, ports=kept)
