"""The services that can be told by Apprise.

Listed is what speaks HTTP alone, by `requests` alone, and reads no file that a URL does not name: these
plugins can be held to our connections. A test reads their code and says so of each. What talks to this host
or by other protocols (dbus, syslog, windows, mailto, mqtt, ...) cannot, and what posts anywhere (json, xml,
form) is what webhooks are for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

# Schemes by the module of Apprise that serves them.
_SCHEMES: Mapping[str, tuple[str, ...]] = {
    # chats
    "dingtalk": ("dingtalk",),
    "discord": ("discord",),
    "feishu": ("feishu",),
    "flock": ("flock",),
    "google_chat": ("gchat",),
    "lark": ("lark",),
    "line": ("line",),
    "matrix.base": ("matrix", "matrixs"),
    "mattermost": ("mmost", "mmosts"),
    "nextcloudtalk": ("nctalk", "nctalks"),
    "revolt": ("revolt",),
    "rocketchat": ("rocket", "rockets"),
    "ryver": ("ryver",),
    "slack": ("slack",),
    "synology": ("synology", "synologys"),
    "telegram": ("tgram",),
    "webexteams": ("wxteams", "webex"),
    "workflows": ("workflow", "workflows"),
    "zulip": ("zulip",),
    # pushes
    "bark": ("bark", "barks"),
    "gotify": ("gotify", "gotifys"),
    "home_assistant": ("hassio", "hassios"),
    "join": ("join",),
    "ntfy": ("ntfy", "ntfys"),
    "prowl": ("prowl",),
    "pushbullet": ("pbul",),
    "pushover": ("pover",),
    "pushy": ("pushy",),
    "signal_api": ("signal", "signals"),
    # text messages
    "africas_talking": ("atalk",),
    "bulksms": ("bulksms",),
    "clickatell": ("clickatell",),
    "clicksend": ("clicksend",),
    "d7networks": ("d7sms",),
    "fortysixelks": ("46elks", "elks"),
    "infobip": ("infobip",),
    "kavenegar": ("kavenegar",),
    "messagebird": ("msgbird",),
    "msg91": ("msg91",),
    "plivo": ("plivo",),
    "seven": ("seven",),
    "sinch": ("sinch",),
    "smsc": ("smsc",),
    "smseagle": ("smseagle", "smseagles"),
    "telnyx": ("telnyx",),
    "twilio": ("twilio",),
    "voipms": ("voipms",),
    "vonage": ("vonage", "nexmo"),
    # others that wake people
    "ilert": ("ilert",),
    "opsgenie": ("opsgenie",),
    "pagerduty": ("pagerduty",),
    "pagertree": ("pagertree",),
    "signl4": ("signl4",),
    "splunk": ("splunk", "victorops"),
    "squadcast": ("squadcast",),
}
MODULES: Mapping[str, str] = {scheme: module for module, schemes in _SCHEMES.items() for scheme in schemes}
SCHEMES = frozenset(MODULES)

NONE = "none"


def read_schemes(listed: Collection[str]) -> frozenset[str]:
    """The schemes that an operator lists: all when nothing is listed, and none for the one word `none`.

    Raises `ValueError`, naming what is not among them.
    """
    if not listed:
        return SCHEMES
    if set(listed) == {NONE}:
        return frozenset()
    if unknown := sorted(set(listed) - SCHEMES):
        raise ValueError(f"not {', '.join(unknown)}")
    return frozenset(listed)
