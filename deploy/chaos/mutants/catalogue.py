"""All mutants, in the order of an alert's journey."""

from __future__ import annotations

from deploy.chaos.mutants import firing, operating, sending, waking

CATALOGUE = (*firing.MUTANTS, *operating.MUTANTS, *sending.MUTANTS, *waking.MUTANTS)
MUTANTS = {mutant.name: mutant for mutant in CATALOGUE}
