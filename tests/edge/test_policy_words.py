"""What is printed of a policy agrees with the policy."""

from signoff.adapters.documents import load_policy
from signoff.cli.main import main
from signoff.domain.floor import BUILT_IN


def test_the_template_has_the_triggers_of_the_built_in_policy(tmp_path):
    assert main(["policy", "template", str(tmp_path / "policy.yaml"), "--home", str(tmp_path / "home")]) == 0
    assert load_policy(tmp_path / "policy.yaml", None).value.triggers == BUILT_IN.triggers
