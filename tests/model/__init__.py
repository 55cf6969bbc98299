"""The model of the protocol, checked exhaustively by Spin; docs/model/README.md explains it."""
