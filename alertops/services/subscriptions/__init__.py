"""Subscriptions, as a team keeps them: which machines are told what happens to its executions.

make_subscription.py    a team makes one
change_subscription.py  it is changed, disabled, enabled again, or deleted

What they are told, and how it gets there, is in `deliveries/`.
"""
