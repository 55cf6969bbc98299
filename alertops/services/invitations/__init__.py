"""People who are not in a team, or not yet.

invite.py            an address is invited; invitation_changes.py: sent again, changed, revoked
answer_invitation.py yes or no, also before there is an account; take_up_invitations.py: put into effect
outsiders.py         addresses that are no member's; confirm_outsider.py: yes, stop_alerts.py: no more
"""
