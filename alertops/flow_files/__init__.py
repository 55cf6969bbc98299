"""Flows as files: YAML that a team keeps in git, and the definitions that the API knows. No network.

    read.py        a file -> FlowFile: its text, bounded; and every fault with its line
    parse.py       text -> plain values, and the place of each; bounded against bombs and cycles
    schema.py      what may stand in a file, as JSON Schema: the one source, also of the published one
    check.py       values against the schema -> faults in sentences
    durations.py   `1h30m` <-> seconds
    definition.py  a file's words <-> the API's
    write.py       the other way: a definition as YAML
    faults.py      what is wrong, and where

One file is one flow. It says what the API says, in the API's words, with three differences that make it
readable: durations have units and no `_seconds` in their name, users are named by their e-mail address, and
nodes are known by their names, so that no ids stand in a file.
"""
