"""Maintenance windows: declared and ended by people, and met by alerts.

declare.py    a window is declared
in_force.py   which window an alert meets, and until when
meet.py       what becomes of an alert that meets one
end.py        a window is over before its time, and what it held comes back
"""
