"""All mutants, in the order of an alert's journey."""

from __future__ import annotations

from deploy.chaos.mutants import firing, sending, waking

MUTANTS = {mutant.name: mutant for mutant in (*firing.MUTANTS, *sending.MUTANTS, *waking.MUTANTS)}
