"""A server judges a dossier that is not filled in, lists what is left, and refuses its memo and its submission."""

import httpx
import pytest
import release_folder

from signoff.adapters.archives import zipped
from signoff.adapters.folders import read_folder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sent(served, tmp_path_factory):
    made = release_folder.make(tmp_path_factory.mktemp("unfinished") / "dossier", sessions=300)
    path = made / "dossier.yaml"
    path.write_text(path.read_text().replace("timing: ", "timing: FILL IN "))
    client = served.client("machine")
    client.timeout = httpx.Timeout(300)
    content = zipped(read_folder(made))
    return lambda where: client.post(f"/api/v1/{where}", content=content, headers={"content-type": "application/zip"})


def test_a_check_has_the_gates_and_the_placeholders(sent):
    told = sent("checks").json()
    assert {"pbo", "var"} <= {gate["key"] for gate in told["gates"]}
    assert [key.partition(" ")[0] for key in told["placeholders"]] == ["rationale.timing"]
    assert any("placeholder" in text for text in told["refused"])


@pytest.mark.parametrize("where", ["memos", "deployments"])
def test_nothing_that_people_sign_is_made_of_it(sent, where):
    answer = sent(where)
    assert answer.status_code == 422, answer.text
    assert "placeholder" in answer.text
