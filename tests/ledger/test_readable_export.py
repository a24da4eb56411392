"""An export that an auditor opens without us: the commands of its README run, the table is inert, the PDF tells."""

import csv
import io
import subprocess

import pytest
from pypdf import PdfReader
from small_ledger import (
    BLOBS,
    NOW,
    PACKAGE,
    World,
    approved_release,
    killed,
    noticed,
    relisted,
    verified,
)
from two_algorithms import TwoAlgorithms

from signoff.adapters.folders import write_pieces
from signoff.adapters.ledger_keys import LedgerKeys
from signoff.adapters.store_memory import MemoryStore
from signoff.app.audit import export
from signoff.app.record import Record
from signoff.domain.spreadsheets import inert
from signoff.ledger.export import FOR_READING, statement_of

FORMULA = '=HYPERLINK("http://x")'


class Fixed:
    def now(self):
        return NOW


class Exports:
    def __init__(self, home):
        self.keys = LedgerKeys.of(home)
        self.store = approved_release(MemoryStore(self.keys.sign_checkpoint))
        self.kept = {"000000000006": self.store.checkpoint()}
        self.world = World(self.store, requests=500)

    def pieces(self):
        record = Record(self.store, Fixed())
        return export(record, chain=self.keys.chain, anchors=self.kept, sign=self.keys.sign_text)

    def files(self):
        return {name: b"".join(pieces) for name, pieces in self.pieces()}

    def rotate(self, keys=LedgerKeys):
        self.store.with_tree(keys(self.keys.home).hand_over)


@pytest.fixture
def ours(tmp_path):
    return Exports(tmp_path / "home")


def commands(readme):
    """The lines that the README gives to a shell, here documents with their whole text."""
    found, lines = [], iter(readme.splitlines())
    for line in lines:
        if line.startswith("$ "):
            found.append(line[2:])
            if line.endswith("<<'END'"):
                for inner in lines:
                    found.append(inner)
                    if inner == "END":
                        break
    return "\n".join(["set -e", *found])


def run(folder):
    readme = (folder / "README.txt").read_text()
    return subprocess.run(["bash", "-c", commands(readme)], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("keys", [None, LedgerKeys, TwoAlgorithms])
def test_the_commands_of_the_readme_hold_for_what_is_whole(ours, tmp_path, keys):
    if keys is not None:
        ours.rotate(keys)
        ours.world.happens("deployment/m-2", noticed("later"))
    write_pieces(tmp_path / "out", ours.pieces())
    ended = run(tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    assert "Signature Verified Successfully" in ended.stdout
    assert ended.stdout.split()[-1] == ours.keys.chain.fingerprints[-1]


@pytest.mark.parametrize("name", ["events.jsonl", "checkpoint", "leaves.txt", "README.txt", "index.pdf"])
def test_the_commands_of_the_readme_find_what_is_not(ours, tmp_path, name):
    files = ours.files()
    files[name] = files[name].replace(files[name][200:201] or files[name][20:21], b"?", 1)
    write_pieces(tmp_path / "out", ((n, (content,)) for n, content in files.items()))
    if name == "README.txt":  # the commands are in it: those of the true one
        (tmp_path / "out" / "README.txt").write_bytes(ours.files()[name] + b" ")
    assert run(tmp_path / "out").returncode != 0


def test_the_commands_find_a_rewritten_event_even_with_every_list_made_anew(ours, tmp_path):
    files = ours.files()
    forged = files["events.jsonl"].replace(b"lunch", b"later")
    files = resummed({**files, "events.jsonl": forged})
    write_pieces(tmp_path / "out", ((n, (content,)) for n, content in files.items()))
    ended = run(tmp_path / "out")
    assert ended.returncode != 0
    assert "do not lead to the root" in ended.stderr


def resummed(files):
    """Lists made anew, as anybody can; the ledger's signature over them nobody can."""
    from signoff.ledger.export import sums_of
    from signoff.ledger.manifest import manifest_of

    rest = {n: c for n, c in files.items() if n not in {"SHA256SUMS", "manifest.json", "manifest.note"}}
    sums = sums_of(manifest_of(rest).entries)
    note = {"manifest.note": files["manifest.note"]} if "manifest.note" in files else {}
    listed = manifest_of({**rest, "SHA256SUMS": sums}).to_bytes()
    return {**rest, "SHA256SUMS": sums, "manifest.json": listed, **note}


def test_the_whole_of_it_verifies(ours):
    result = verified(ours.files())
    assert (result.findings, result.exit_code) == ((), 0)


@pytest.mark.parametrize("name", ["README.txt", "index.pdf", "events.csv", "SHA256SUMS", "manifest.note", "leaves.txt"])
def test_an_altered_byte_is_found_even_with_every_list_made_anew(ours, name):
    files = ours.files()
    for place in range(0, len(files[name]), max(1, len(files[name]) // 40)):
        content = bytearray(files[name])
        content[place] ^= 1
        altered = {**files, name: bytes(content)}
        assert verified(altered).exit_code == 1
        assert verified(resummed(altered) if name != "SHA256SUMS" else relisted(altered)).exit_code == 1


@pytest.mark.parametrize("name", sorted(FOR_READING))
def test_what_is_for_reading_needs_the_ledgers_signature(ours, name):
    files = {n: c for n, c in ours.files().items() if n == name or n not in {*FOR_READING, "manifest.note"}}
    assert "no signature of the ledger vouches" in str(verified(relisted(files)).findings)


def test_the_note_of_another_export_is_found(ours):
    files = ours.files()
    other = ours.keys.sign_text(statement_of(b"another"))
    assert "signed for another manifest" in str(verified({**files, "manifest.note": other}).findings)


def test_a_table_that_tells_otherwise_is_found_though_the_ledgers_own_key_signed_it(ours):
    files = resummed({**ours.files(), "events.csv": ours.files()["events.csv"].replace(b"notice_sent", b"notice_seen")})
    files["manifest.note"] = ours.keys.sign_text(statement_of(files["manifest.json"]))
    assert "differ from the events" in str(verified(files).findings)


def test_the_table_lists_every_event_and_holds_no_formula(ours):
    ours.world.happens("deployment/m-2", noticed("later"), actor=FORMULA)
    rows = list(csv.DictReader(io.StringIO(ours.files()["events.csv"].decode(), newline="")))
    assert [row["seq"] for row in rows] == [str(n) for n in range(1, 8)]
    assert [row["kind"] for row in rows][:4] == ["person_enrolled", "opened", "validated", "approval_requested"]
    assert rows[-1]["actor"] == f"'{FORMULA}"
    assert verified(ours.files()).findings == ()
    for opening in "=+-@\t\r":
        assert inert(f"{opening}1")[0] == "'"


def test_an_altered_event_is_named_by_its_line(ours):
    files = ours.files()
    forged = resummed({**files, "events.jsonl": files["events.jsonl"].replace(b"lunch", b"later")})
    assert ("events.jsonl line 6", "it is not the event whose hash was signed") in verified(forged).findings
    hidden = resummed({**forged, "leaves.txt": b""})
    assert "were not signed" in str(verified(hidden).findings)


def test_without_the_hashes_the_anchors_narrow_it_down(ours):
    ours.world.happens("deployment/m-2", noticed("after the anchor"))
    files = ours.files()
    del files["leaves.txt"]
    altered = resummed(
        {**files, "events.jsonl": files["events.jsonl"].replace(b"after the anchor", b"since the anchor")}
    )
    assert "an event was altered among events 7 to 7" in str(verified(altered).findings)


def test_the_pdf_tells_releases_signatures_and_kills(ours):
    ours.world.happens("model/m", killed())
    ours.rotate()
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(ours.files()["index.pdf"])).pages)
    told = " ".join(text.split())
    for word in ("m v2", "awaiting_approval", "Rae", "risk_manager", "conditional: daily review", "Kills", "test"):
        assert word in told, (word, told)
    assert ours.keys.chain.fingerprints[0][:8] in told
    assert ours.keys.chain.fingerprints[1][:8] in told


def test_the_pdf_evaluates_nothing_that_people_wrote(ours):
    ours.world.happens("model/m", killed(), actor='#panic("typst") $x$ *bold*')
    told = "".join(page.extract_text() for page in PdfReader(io.BytesIO(ours.files()["index.pdf"])).pages)
    assert "#panic" in told


def test_every_file_that_is_signed_is_in_the_export(ours):
    files = ours.files()
    assert files[f"blobs/{PACKAGE.digest}"] == BLOBS[0]
    assert list(files)[-3:] == ["SHA256SUMS", "manifest.json", "manifest.note"]
