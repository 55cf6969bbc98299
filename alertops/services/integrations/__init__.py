"""Integrations: the ways in for monitoring systems, as a team keeps them.

make_integration.py       a team makes one; integration_key.py is its key, shown once
change_integration.py     it is changed, gets another key, or is revoked
integration_faults.py     what it cannot be
authenticate_integration.py  a key that came with a request, and the integration that it is of
"""
