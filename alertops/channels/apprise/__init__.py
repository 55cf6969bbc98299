"""The apprise channel: chats, pushes and text messages, by the services that the library Apprise knows.

Apprise makes its requests with the library `requests`, wherever a URL leads, and says True or False of the
outcome. Both will not do here, so its plugins are given another `requests`::

    plugin ──requests.post(...)──▶ stand_in.py ──▶ talk.py ──▶ our own connections: permitted addresses,
      │                                             │          one deadline, no redirects, no proxies
      └──▶ True or False ──────────────────────────▶ channel.py: what was really asked and answered

schemes.py   which services there are
services.py  their plugins, and what their URLs are
text.py      a notification as people read it in a chat
stand_in.py  what a plugin finds in place of `requests`
talk.py      one send, in a thread of its own: up to the first byte of a request, and from there on
channel.py   the channel, and what it makes of what it has seen

Nobody else imports Apprise.
"""
