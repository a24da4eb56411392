"""The code of the point-in-time document runs, in its order."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "point-in-time.md"


def test_the_code_of_the_document_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names = {"__name__": "document"}

    for block in blocks:
        exec(compile(block, str(DOCUMENT), "exec"), names)

    assert len(blocks) == 6
    assert (tmp_path / "replay.journal").exists()
