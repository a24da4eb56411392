"""Feature replays that are run once for the same code, tables and record, where a test is about something else.

A replay starts two child processes, which take most of the time of an assessment. The first of each kind is real; what
it found is given again only where everything that it read is the same, byte for byte.
"""

from contextlib import contextmanager
from hashlib import sha256

import numpy as np
import pytest

from signoff.adapters.feature_code import feature_code
from signoff.adapters.feature_replay import FeatureReplays
from signoff.domain.evidence import CodedSymbols

_FOUND = {}


@contextmanager
def remembered():
    """Replays of the installation in this process; a command in a process of its own runs its own."""
    real = FeatureReplays.__call__

    def recalled(self, folder, declaration, predictions, *, seed=None, record=None):
        key = _everything_read(self.sandbox, folder, declaration, record)
        if key is None:
            return real(self, folder, declaration, predictions, seed=seed, record=record)
        if (key, seed) not in _FOUND:
            found = real(self, folder, declaration, predictions, seed=seed, record=record)
            _FOUND[key, seed] = _FOUND[key, found.seed] = found
        return _FOUND[key, seed]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureReplays, "__call__", recalled)
        yield


def _everything_read(sandbox, folder, declaration, record):
    """None for code outside of the folder, a strategy, audits of other tables, and where a table is missing."""
    code = feature_code(declaration.compute, folder)
    has_more = declaration.strategy is not None or declaration.audits != type(declaration.audits)()
    tables = [folder / path for path in declaration.inputs.values()]
    if not code or has_more or record is None or not all(table.is_file() for table in tables):
        return None
    read = sha256()
    for path, content in sorted(code.items()):
        read.update(b"%s %d " % (path.encode(), len(content)) + content)
    for table in tables:
        content = table.read_bytes()
        read.update(b"%d " % len(content) + content)
    for column in _decided(record):
        read.update(b"%d " % column.size + np.ascontiguousarray(column).tobytes())
    return read.digest(), repr(declaration), sandbox.isolation, sandbox.packages, sandbox.seconds


def _decided(record):
    """The columns of a record from which its decision dates are read."""
    yield from (record.backtest.dates, record.backtest.returns != 0)
    for told in (record.predictions, record.positions):
        yield np.array([told is not None])
        if told is not None:
            yield told.timestamps if told is record.predictions else told.dates
            symbols = told.symbols
            yield from (
                (symbols.codes, symbols.names.astype(str))
                if isinstance(symbols, CodedSymbols)
                else (symbols.astype(str),)
            )
