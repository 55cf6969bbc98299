"""The programs of the peers, each as its own documentation says to write and run it.

They are told where to go by PEER_BROKER_URL, PEER_DATABASE_URL and PEER_SMTP_PORT.
"""
