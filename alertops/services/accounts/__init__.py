"""Accounts: register_user.py, verify_address.py, reset_password.py, log_in.py, refresh_session.py and the
rest of one's own; contact_methods.py is how somebody is told of alerts. limits.py says how often;
prove_address.py is where an address becomes somebody's.
"""
