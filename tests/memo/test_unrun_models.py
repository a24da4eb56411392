"""A previous version that nothing ran is never said to have run."""

from types import SimpleNamespace

import pytest

from signoff.domain.artifacts import PreviousCheck
from signoff.domain.memo.rollback import _verified


@pytest.mark.parametrize(
    ("is_working", "detail", "said"),
    [
        (True, "3 known rows", ": run on its known input"),
        (False, "3 known rows, largest difference 1.0", ": run on its known input"),
        (None, "not run by Signoff, which unpickles nothing", ": not run by Signoff, which unpickles nothing"),
        (None, "the registry did not answer", ": the registry did not answer"),
    ],
)
def test_the_step_of_the_rollback_says_whether_anything_was_run(is_working, detail, said):
    check = PreviousCheck(version="1", run_id="r", is_working=is_working, detail=detail)
    release = SimpleNamespace(
        dossier=SimpleNamespace(header=SimpleNamespace(previous_version="1")),
        standing=SimpleNamespace(previous_check=check),
    )
    assert _verified(release) == said
