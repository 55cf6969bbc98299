"""How a command tells that it went, or did not. Documented in docs/cli.md; programs rely on them."""

from __future__ import annotations

REFUSED = 1  # the API said no, or whoever was asked did
USAGE = 2  # what was typed makes no command; click's own
UNREACHABLE = 3  # no answer, or one that says that it cannot answer now
NOT_LOGGED_IN = 4  # nobody is asking, or somebody whom the API does not know
CHANGES = 5  # `flow apply --check`: there is something to do
BAD_FILES = 6  # files that cannot be used; nothing was done
