"""A tracker in memory: the second implementation of the port of runs."""

from signoff.domain.errors import BadInputError, NotFoundError


class FakeRuns:
    def __init__(self, *runs, experiments=None):
        self._runs = {run.id: run for run in runs}
        self._experiments = experiments or {}
        self._files = {}
        self.asked = []

    def holding(self, run_id, files):
        self._files.setdefault(run_id, {}).update(files)
        return self

    def run(self, run_id):
        self._known(run_id)
        return self._runs[run_id]

    def children(self, run_id):
        self._known(run_id)
        return tuple(run for run in self._runs.values() if run.parent == run_id)

    def of_experiment(self, name):
        self.asked.append(name)
        if name not in self._experiments:
            raise NotFoundError(f"no experiment {name}")
        return tuple(self._runs[run] for run in self._experiments[name])

    def files(self, run_id):
        self._known(run_id)
        return tuple(path for path in self._files.get(run_id, {}) if "/" not in path)

    def content(self, run_id, path, *, limit):
        self._known(run_id)
        if path not in self._files.get(run_id, {}):
            raise NotFoundError(f"no {path} in {run_id}")
        found = self._files[run_id][path]
        if len(found) > limit:
            raise BadInputError(f"{path}: {len(found)} bytes")
        return found

    def _known(self, run_id):
        self.asked.append(run_id)
        if run_id not in self._runs:
            raise NotFoundError(f"no run {run_id}")
