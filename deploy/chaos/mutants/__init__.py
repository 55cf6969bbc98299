"""Would the harness find a bug? Bugs are planted into a copy of the sources, and a fleet is run from it.

A mutant is a small change that somebody could have made. It is caught when the verdict, which knows
nothing of it, finds a promise broken; lateness alone does not count, as any busy machine can be late.
The same schedule without the mutant must break nothing, or the catching means nothing.

mutant.py     a mutant as data, and how it is planted
firing.py     the catalogue: mutants of starting, firing and answering
operating.py                 of snoozing, escalating, reassigning and rebasing
sending.py                   of claiming, sending and recording
waking.py                    of waking, recovery and settings
catalogue.py                 all of them
schedules.py  under which faults they are run
trial.py      one run, with a mutant or without
table.py      what came out, for the screen and for docs
"""
