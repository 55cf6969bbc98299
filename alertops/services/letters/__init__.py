"""Letters: mails about accounts and teams, sent as durably as alerts.

write_letter.py      a row of the transaction that wants it
send_letter.py       claimed with a new token (mail_token.py), sent and recorded
"""
