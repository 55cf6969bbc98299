"""The catalogue of planted bugs fits the sources, so that it cannot rot unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.chaos.mutants.catalogue import MUTANTS
from deploy.chaos.mutants.mutant import Edit, Mutant, StaleMutantError, copy_sources
from deploy.chaos.mutants.schedules import SCHEDULES
from deploy.chaos.run import PROMISES_CHECKED

ENOUGH = 15


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("mutants") / "source"
    copy_sources(copy)
    return copy


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_mutant_fits_the_sources(mutant: Mutant, sources: Path) -> None:
    files = {edit.file: (sources / edit.file).read_text() for edit in mutant.edits}
    mutant.plant(sources)
    try:
        for file, sound in files.items():
            planted = (sources / file).read_text()
            assert planted != sound
            compile(planted, file, "exec")
    finally:
        for file, sound in files.items():
            (sources / file).write_text(sound)


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_mutant_is_run_and_is_known_by_a_promise(mutant: Mutant) -> None:
    assert mutant.schedule in SCHEDULES
    assert mutant.breaks
    assert set(mutant.breaks) <= PROMISES_CHECKED


def test_there_are_enough_of_them() -> None:
    assert len(MUTANTS) >= ENOUGH


@pytest.mark.parametrize("text", ["", "once, and once again"])
def test_mutant_of_other_sources_is_refused(text: str) -> None:
    with pytest.raises(StaleMutantError, match=r"some\.py is out of date"):
        Edit("some.py", "once", "").apply(text)


def test_planting_changes_a_copy_alone(sources: Path) -> None:
    mutant = Mutant("", "", "", (), (Edit("celeryconfig.py", "task_acks_late = True", "task_acks_late = 0"),))
    before = Path("celeryconfig.py").read_text()
    sound = (sources / "celeryconfig.py").read_text()
    mutant.plant(sources)
    assert "task_acks_late = 0" in (sources / "celeryconfig.py").read_text()
    assert Path("celeryconfig.py").read_text() == before
    (sources / "celeryconfig.py").write_text(sound)
