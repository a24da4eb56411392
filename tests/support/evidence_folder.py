"""The measurements of a folder alone, where a test needs no dossier."""

from signoff.adapters.evidence.finding import find_tables
from signoff.adapters.evidence.reader import _evidence
from signoff.adapters.junit import read_reports


def load_evidence(folder, *, runs=None):
    return _evidence(folder, find_tables(folder, runs), read_reports(folder))
