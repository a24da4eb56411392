"""A registry whose every version works, for tests that are not about the registry."""

from signoff.domain.artifacts import PreviousCheck
from signoff.domain.evidence import RegisteredModel


class WorkingRegistry:
    def version(self, model, version):
        return None

    def verify(self, model, version):
        return PreviousCheck(version=version, run_id="r", is_working=True, detail="works")

    def attach(self, model, version, files):
        return ()

    def point(self, model, alias, version):
        return None

    def registered(self, model, alias, versions):
        return RegisteredModel(is_registered=True, numbers=dict.fromkeys(versions, 1))
