"""Destinations, as a team keeps them: places that its flows can name without knowing their tokens.

make_destination.py    a team makes one
change_destination.py  it is changed or deleted
find_destinations.py   those that flows name, and the sealed URL that a sender needs
"""
