"""Running `alertops` as a person or a script does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from alertops.cli import main


@dataclass(frozen=True)
class Terminal:
    """Where commands are run; `folder` is where a login is kept."""

    folder: Path

    def run(self, *words: str | Path, says: str | None = None) -> Result:
        """Run a command, and return what came of it; `says` is what is typed into it."""
        result = CliRunner().invoke(main, [str(word) for word in words], input=says)
        # A traceback is for nobody; whatever can happen has a sentence.
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    def json(self, *words: str | Path) -> Any:
        """What the command answers to programs; it must go well."""
        result = self.run(*words, "--output", "json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def text(self, *words: str | Path, exit_code: int = 0) -> str:
        """What the command tells people."""
        result = self.run(*words)
        assert result.exit_code == exit_code, result.output
        return result.output
