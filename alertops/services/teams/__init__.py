"""Teams: made, renamed and deleted; their members, roles and API keys. locked_team.py is their lock."""
