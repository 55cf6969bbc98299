"""`alertops secrets`: every secret is sealed with the newest key, however often it takes."""

from __future__ import annotations

from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from alertops.cli import main
from alertops.models import Team, WebhookSecret
from alertops.secret_box import SecretBox, new_key, problems_of
from alertops.services import rotate_secrets
from alertops.services.rotate_secrets import rotate_secrets as rotate

OLD, NEW, LOST = new_key(), new_key(), new_key()


def stored(session: Session, count: int, key: str = OLD) -> list[UUID]:
    """So many secrets of one team, sealed with this key; their texts are numbers."""
    team = Team(name="Team")
    session.add(team)
    session.flush()
    about = {"team_id": team.id, "prefix": "whsec_", "created_by": team.id}
    rows = [WebhookSecret(**about, sealed=SecretBox([key]).seal(f"{number}")) for number in range(count)]
    session.add_all(rows)
    session.commit()
    return [row.id for row in rows]


def opened(session: Session, key: str) -> set[str]:
    """What this key alone opens."""
    session.rollback()
    box = SecretBox([key])
    sealed = session.scalars(select(WebhookSecret.sealed))
    return {box.open(text) for text in sealed if text.startswith(box.newest)}


def run(database_url: str, *keys: str) -> Result:
    environment = {"ALERTOPS_DATABASE_URL": database_url, "ALERTOPS_SECRETS_KEYS": ",".join(keys)}
    return CliRunner(env=environment).invoke(main, ["secrets", "rotate"])


def test_it_prints_a_key_that_is_one() -> None:
    made = CliRunner().invoke(main, ["secrets", "generate"]).output.strip()
    assert list(problems_of([made])) == []


def test_all_are_sealed_with_the_newest_key_and_progress_is_told(
    session: Session, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotate_secrets, "PAGE", 2)
    stored(session, 5)
    result = run(database_url, NEW, OLD)
    assert (result.exit_code, opened(session, NEW)) == (0, {*"01234"})
    name = SecretBox([NEW]).newest
    assert result.output.splitlines() == [f"{n} of 5 sealed with the key {name}" for n in (0, 2, 4, 5)]
    again = run(database_url, NEW, OLD)
    assert again.output.splitlines() == [f"0 of 0 sealed with the key {name}"]


def test_one_that_was_cut_off_goes_on_where_it_was(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotate_secrets, "PAGE", 2)
    stored(session, 5)
    cut_off = rotate(session, SecretBox([NEW, OLD]))
    assert [next(cut_off).done, next(cut_off).done] == [0, 2]
    cut_off.close()
    session.rollback()
    assert len(opened(session, NEW)) == 2
    assert [(p.done, p.total) for p in [*rotate(session, SecretBox([NEW, OLD]))][-1:]] == [(3, 3)]
    assert len(opened(session, NEW)) == 5


def test_what_no_key_opens_is_told_left_and_keeps_no_other_waiting(
    session: Session, database_url: str
) -> None:
    [lost] = stored(session, 1, LOST)
    stored(session, 2)
    result = run(database_url, NEW, OLD)
    assert (result.exit_code, opened(session, NEW)) == (1, {"0", "1"})
    assert f"webhook_secrets {lost}: a secret is sealed with the key" in result.output
    assert opened(session, LOST) == {"0"}


def test_one_that_is_deleted_meanwhile_stays_deleted(session: Session, database_url: str) -> None:
    stored(session, 2)
    running = rotate(session, SecretBox([NEW, OLD]))
    next(running)
    session.query(WebhookSecret).delete()
    session.commit()
    assert [progress.done for progress in running] == []


def test_one_that_is_replaced_meanwhile_stays_as_it_was_replaced(
    session: Session, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(session, 1)
    box = SecretBox([NEW, OLD])
    reseal = box.reseal

    def while_it_is_replaced(sealed: str) -> str:
        with sessions() as other:
            other.query(WebhookSecret).update({"sealed": box.seal("replaced")})
            other.commit()
        return reseal(sealed)

    monkeypatch.setattr(box, "reseal", while_it_is_replaced)
    assert [progress.done for progress in rotate(session, box)][-1] == 0
    assert opened(session, NEW) == {"replaced"}


def test_without_a_usable_key_nothing_is_touched(session: Session, database_url: str) -> None:
    stored(session, 1)
    result = run(database_url, "nonsense-canary")
    assert result.exit_code == 1
    assert "key 1 is none" in result.output
    assert "nonsense-canary" not in result.output
    assert opened(session, OLD) == {"0"}
