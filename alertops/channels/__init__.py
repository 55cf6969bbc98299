"""Channels: how a message reaches a target."""
