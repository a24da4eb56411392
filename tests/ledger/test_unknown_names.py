"""An id that nobody knows is answered with the nearest names, and no release is read for it."""

from dataclasses import replace

import pytest
from command_processes import command
from several_models import Several
from small_ledger import append, commit, memory_store

from signoff.adapters.clocks import WallClock
from signoff.app.record import Record
from signoff.domain.deployment import State
from signoff.domain.errors import NotFoundError
from signoff.domain.recognition import near

MANY = [f"carry-{n}" for n in range(20)] + ["momentum-1", "momentum-2"]


@pytest.fixture
def unreadable():
    """A record of many releases, none of which can be decoded."""
    store = memory_store()
    for name in MANY:
        one = replace(append(f"deployment/{name}", state=b"no release"), model=name.partition("-")[0], label="full")
        store.commit(commit(one, key=name))
    return Record(store, WallClock())


def test_an_unknown_id_lists_five_near_names_and_reads_no_release(unreadable):
    with pytest.raises(NotFoundError) as refused:
        unreadable.deployment("momentun-1")
    assert str(refused.value) == (
        "Expected the id of a deployment, found 'momentun-1'; known are: momentum-1, momentum-2, "
        "carry-0, carry-1, carry-10 and 17 more. "
        "`signoff status` lists them."
    )
    with pytest.raises(NotFoundError, match=r"known are: (carry-[0-9]+, ){4}carry-[0-9]+ and 17 more"):
        unreadable.deployment("carry-99")


def test_the_models_on_record_and_whether_one_is_known_are_told_without_reading_a_release(unreadable):
    assert unreadable.models() == ("carry", "momentum")
    assert unreadable.recognised("carry").is_known
    found = unreadable.recognised("momentum-2")
    assert (found.is_known, found.nearest, found.models) == (False, ("momentum",), 2)


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("x", [], "none yet"),
        ("x", ["b", "a"], "a, b"),
        ("x", ["e", "d", "c", "b", "a"], "a, b, c, d, e"),
        ("x", list("fedcba"), "a, b, c, d, e and 1 more"),
        ("ALPHA", ["alpha", *"qrstuvw"], "alpha, q, r, s, t and 3 more"),
    ],
)
def test_few_names_are_all_listed_and_of_many_the_nearest(name, known, said):
    assert near(name, known) == said


def test_the_command_line_lists_the_nearest_ids(tmp_path):
    several = Several(tmp_path / "h")
    for model in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta"):
        several.release(model, State.FULL)
    said = command("observe", "gama-2", home=several.settings.home).stderr.decode()
    assert "known are: gamma-2, alpha-2, beta-2, delta-2, epsilon-2 and 1 more" in said
    assert b"models on record: gamma, " in command("rehearse", "gama", home=several.settings.home).stderr
