"""Were the promises kept? What the database says, held against the plan that each execution began with.

Usable on any database of AlertOps, while it is at work: everything here only reads.

history.py    all that the database knows of one execution
read.py       histories in pages, each from one snapshot
promises.py   the promises that rows alone can prove broken, and the verdict
evidence.py   an execution as lines of text, for whoever has to find out why

What the rows cannot prove, that a mail recorded as delivered was received, and once, is for those who
have the mails: `deploy.local.promises` adds it in tests.
"""
