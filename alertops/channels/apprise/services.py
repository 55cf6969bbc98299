"""The URLs that name a place at a service, and the plugins that know them."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from alertops.channels.apprise.schemes import MODULES, SCHEMES
from alertops.channels.apprise.stand_in import STAND_IN

MAX_URL = 2000
DOCUMENTED = "docs/apprise.md"

# What is decided here and not in a URL; `template` would have a file of ours sent.
_REFUSED = ("template", "verify", "redirect", "retry", "wait", "rto", "cto", "store", "overflow")
_FIT = re.compile(r"[!-~]+")
_SCHEME = re.compile(r"[a-z0-9]{1,20}")
# Shorter than this, a part of a URL is no secret, and occurs in any text.
_SHORTEST_SECRET = 5


@dataclass(frozen=True)
class Place:
    """Where a URL leads: its scheme, and what of it may be shown."""

    scheme: str
    shown: str
    plugin: Any = field(repr=False)


def find_place(url: str, allowed: Collection[str] = SCHEMES) -> Place:
    """The place that the URL names; raise `ValueError`, with a sentence for a person, if it names none.

    The sentence does not quote the URL: who knows one can often use it.
    """
    scheme = _scheme_of(url)
    if scheme not in SCHEMES:
        raise ValueError(
            f"There is no scheme {scheme}:// here. An Apprise URL begins with the name of its service, such "
            f"as slack://, tgram:// or ntfys://; {DOCUMENTED} lists them."
        )
    if scheme not in allowed:
        raise ValueError(f"{scheme}:// is not among what the operator allows: {', '.join(sorted(allowed))}.")
    _require_no_refused(url)
    if missing_of([scheme]):
        raise ValueError(f"The Apprise that is installed here has no {scheme}://.")
    kind = _plugin_kind(scheme)
    plugin = _made(kind, url)
    if plugin is None:
        raise ValueError(f"This is no URL of {kind.service_name}. It has the form of: {_forms(kind)}.")
    count = len(plugin)
    if count != 1:
        raise ValueError(
            f"It names {'several places' if count else 'no place'} to tell. A destination is one: "
            "what was sent to a part of several could not be told from what failed."
        )
    return Place(scheme, _shown(scheme, kind, plugin), plugin)


def missing_of(schemes: Collection[str]) -> list[str]:
    """Those of the schemes that the installed library does not have where we look for them."""
    missing = []
    for scheme in sorted(schemes):
        try:
            _plugin_kind(scheme)
        except (ImportError, LookupError):
            missing.append(scheme)
    return missing


def secrets_of(url: str) -> set[str]:
    """Every part of the URL that could be a secret, as it stands there and decoded."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    pieces = [*re.split("[/:@?#&=]", f"{user}/{host}/{parts.path}/{parts.fragment}/{parts.query}")]
    pieces += [value for _, value in parse_qsl(parts.query)]
    return {form for piece in pieces for form in (piece, unquote(piece)) if len(form) >= _SHORTEST_SECRET}


def _scheme_of(url: str) -> str:
    if len(url) > MAX_URL:
        raise ValueError(f"A URL has at most {MAX_URL:,} characters.")
    scheme, there, rest = url.partition("://")
    scheme = scheme.lower()
    if not there or not rest or not _FIT.fullmatch(url) or not _SCHEME.fullmatch(scheme):
        raise ValueError(
            "Not a URL as Apprise has them: a scheme such as slack://, and then characters of ASCII without "
            "spaces, the rest percent-encoded."
        )
    if scheme in ("http", "https"):
        raise ValueError(
            f"{scheme}:// is a webhook: use a recipient of the type webhook, or the service's URL as Apprise "
            f"has it ({DOCUMENTED})."
        )
    return scheme


def _require_no_refused(url: str) -> None:
    named = {name.lower() for name, _ in parse_qsl(url.partition("?")[2], keep_blank_values=True)}
    for name in _REFUSED:
        if name in named:
            raise ValueError(f"It must not have the parameter {name}: that is not decided by a URL here.")


@cache
def _plugin_kind(scheme: str) -> Any:
    """The plugin's class; its module is loaded when it is used first, and given our `requests`."""
    # What the library logs has tokens in it.
    logging.getLogger("apprise").disabled = True
    module = import_module(f"apprise.plugins.{MODULES[scheme]}")
    module.__dict__["requests"] = STAND_IN
    for kind in vars(module).values():
        if isinstance(kind, type) and kind.__module__ == module.__name__ and scheme in _schemes_of(kind):
            return _without_destructor(kind)
    raise LookupError(f"Apprise has no plugin for {scheme}:// where it is looked for")


def _without_destructor(kind: Any) -> Any:
    """One that logs out does so when it is told to, in its own send.

    As a destructor it would whenever the collector runs, in whichever thread: in the send of somebody else.
    """
    if "__del__" in vars(kind):
        kind.say_farewell = kind.__del__
        del kind.__del__
    return kind


def _schemes_of(kind: type) -> set[str]:
    said = (getattr(kind, name, None) or () for name in ("protocol", "secure_protocol"))
    return {scheme for each in said for scheme in ((each,) if isinstance(each, str) else each)}


@cache
def _asset() -> Any:
    # Nothing is kept on disk, and no picture is fetched from anywhere.
    return import_module("apprise").AppriseAsset(
        app_id="AlertOps",
        app_desc="AlertOps",
        app_url="",
        storage_mode="memory",
        http_redirects=False,
        image_url_mask="",
        image_url_logo="",
        image_path_mask=False,
    )


def _made(kind: Any, url: str) -> Any:
    """The plugin for this URL; None when it cannot read it. What it says of it is not told: it quotes it."""
    try:
        parts = kind.parse_url(url)
        return kind(**parts, asset=_asset()) if parts else None
    except Exception:  # each plugin has its own ways
        return None


def _forms(kind: Any) -> str:
    scheme = min(_schemes_of(kind), key=len) if not kind.secure_protocol else _first(kind.secure_protocol)
    return " or ".join(str(form).replace("{schema}", scheme) for form in kind.templates[:3])


def _first(schemes: Any) -> str:
    return str(schemes if isinstance(schemes, str) else schemes[0])


def _shown(scheme: str, kind: Any, plugin: Any) -> str:
    """Of what one hosts oneself the host; elsewhere the place of the host in a URL may have a token."""
    if not plugin.host or not all("{host}" in str(form) for form in kind.templates):
        return f"{scheme}://…"
    return f"{scheme}://{plugin.host}{f':{plugin.port}' if plugin.port else ''}/…"
