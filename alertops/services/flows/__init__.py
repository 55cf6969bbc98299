"""A team changes how its alerts escalate; what runs keeps the revision that it started with.

create_flow.py       the first revision
edit_flow.py         a flow is changed: its next revision, for the alerts from then on
archive_flow.py      it is put away and starts nothing more; restore_revision.py: it is as it was
compare_revisions.py what leads from one revision to another; revisions.py freezes and reads them
lock_flow.py         its row lock, and whether it is the version that the editor has seen
"""
