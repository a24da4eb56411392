"""Section 7.2: the flags that each version will read, phase by phase."""

from dataclasses import replace

import pytest
import sample

from signoff.domain.memo.document import Memo, Paragraph
from signoff.domain.policy import ChampionShare

PHASES = ("Shadow", "Limited", "Full", "Rolled back")


def table(memo: Memo) -> dict[str, dict[str, tuple[str, ...]]]:
    """The flags by version and name, each over the four phases."""
    (shown,) = sample.tables(memo, "7.2")
    assert tuple(column.title for column in shown.columns) == ("Version", "Flag", *PHASES)
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for version, flag, *values in shown.rows:
        name = flag.text.removeprefix("models.momentum.")
        found.setdefault(version.text, {})[name] = tuple(cell.text for cell in values)
    return found


def with_share(share: ChampionShare) -> Memo:
    policy = sample.release().policy
    return sample.memo(policy=replace(policy, phases=replace(policy.phases, champion_share_while_limited=share)))


def test_the_candidate_and_the_champion_have_rows_of_their_own() -> None:
    assert table(sample.memo()) == {
        "v2.0.0": {
            "enabled": ("true", "true", "true", "false"),
            "allocation_pct": ("0", "10", "100", "0"),
            "shadow_mode": ("true", "false", "false", "false"),
        },
        "v1.1.0": {
            "enabled": ("true", "true", "false", "true"),
            "allocation_pct": ("100", "90", "0", "100"),
            "shadow_mode": ("false", "false", "false", "false"),
        },
    }


@pytest.mark.parametrize(("share", "percent"), [(ChampionShare.REST, "90"), (ChampionShare.ALL, "100")])
def test_what_the_champion_trades_in_the_limited_phase_is_what_the_policy_says(
    share: ChampionShare, percent: str
) -> None:
    memo = with_share(share)
    assert table(memo)["v1.1.0"]["allocation_pct"][1] == percent
    notes = [block.text for block in sample.section(memo, "7.2").blocks if isinstance(block, Paragraph)]
    assert any(f"champion_share_while_limited {share.value}" in note for note in notes)


def test_a_first_release_has_no_champion_beside_it() -> None:
    first = sample.dossier()
    header = replace(first.header, previous_version=None)
    assert set(table(sample.memo(dossier=replace(first, header=header)))) == {"v2.0.0"}
