"""Who acts, and what they may see and do.

authenticate.py      a token becomes a person, authenticate_key.py an API key a program: actor.py
door.py              the one door to what belongs to a team; permissions.py: the table that it asks
wall.py              behind it, Postgres shows no rows of other teams
once.py              what is sent again is not done again
audit.py             what they did is told, in the same transaction; audit_log.py reads it
"""
