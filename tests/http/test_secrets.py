"""What an installation was given in secret is nowhere that others read: no memo, document, export or log."""

import base64
import io
import subprocess
import sys
import zipfile

import firm_policy
import pytest
import release_folder
from cast_of_six import PEOPLE
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from http_server import Served
from postgres import fresh_database
from pypdf import PdfReader
from sqlalchemy import make_url

from signoff.adapters.archives import zipped
from signoff.adapters.folders import read_folder
from signoff.worker.work import Worker

pytestmark = pytest.mark.real
OIDC, WEBHOOK, PLACE, PASSWORD = "oidc-secret-7Qx", "webhook-secret-9Zk", "T0PSECRETPLACE", "db-password-3Vw"
ZIP = {"content-type": "application/zip"}


class Firm(Served):
    """A server over PostgreSQL with every secret that an installation can be given."""

    def secrets(self):
        found = {"oidc": OIDC, "webhook": WEBHOOK, "webhook's place": PLACE, "database": PASSWORD}
        found |= {f"token of {who}": token.rpartition("_")[2] for who, token in self.tokens.items()}
        keys = {name: self.house.key_of(name) for name in PEOPLE.values()} | {"ledger": self.house.ledger_key}
        for name, key in keys.items():
            raw = key.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
            pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
            found |= {
                f"key of {name}": raw.hex(),
                f"key of {name}, base64": base64.b64encode(raw).decode(),
                f"key of {name}, PEM": pem.splitlines()[1],
            }
        return found

    def noticed(self):
        """What the command says that tries the webhook, which nobody answers."""
        line = [sys.executable, "-m", "signoff", "notices", "--test", "--home", str(self.settings.home)]
        said = subprocess.run([*line, "--database", self.settings.database], capture_output=True, check=False)
        assert said.returncode != 0
        return said.stdout + said.stderr


@pytest.fixture(scope="module")
def firm(tmp_path_factory):
    home = tmp_path_factory.mktemp("firm")
    for name, secret in (("oidc", OIDC), ("webhook", WEBHOOK)):
        (home / name).write_text(f"{secret}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGNOFF_OIDC_ISSUER", "http://127.0.0.1:9")
        patch.setenv("SIGNOFF_OIDC_CLIENT_SECRET_FILE", str(home / "oidc"))
        patch.setenv("SIGNOFF_WEBHOOK_URL", f"http://127.0.0.1:9/{PLACE}")
        patch.setenv("SIGNOFF_WEBHOOK_ALLOW", "127.0.0.1")
        patch.setenv("SIGNOFF_WEBHOOK_SECRET_FILE", str(home / "webhook"))
        url = make_url(fresh_database()).set(username="postgres", password=PASSWORD)
        server = Firm(home / "home", url.render_as_string(hide_password=False)).start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def release(firm, tmp_path_factory):
    """A release that a machine submitted, and its folder as it was sent."""
    firm_policy.install(firm.house)
    folder = release_folder.make(tmp_path_factory.mktemp("release") / "dossier")
    sent = zipped(read_folder(folder))
    answer = firm.client("machine").post("/api/v1/deployments", content=sent, headers=ZIP, timeout=300)
    assert answer.status_code == 201, answer.text
    return answer.json()["deployment"], sent


def readable(content):
    """Bytes as somebody reads them who opens archives and documents."""
    if content.startswith(b"%PDF"):
        return content.decode("latin-1") + "".join(p.extract_text() for p in PdfReader(io.BytesIO(content)).pages)
    if content.startswith(b"PK\3\4"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return "".join(readable(archive.read(name)) for name in archive.namelist())
    return content.decode("latin-1")


def told_by(text, firm):
    return [name for name, secret in firm.secrets().items() if secret in text]


def test_a_secret_in_a_document_or_an_archive_would_be_seen(firm):
    for name, secret in firm.secrets().items():
        assert name in told_by(readable(zipped({"a.zip": zipped({"b": f"x{secret}x".encode()})})), firm)


@pytest.mark.slow
def test_the_memo_of_a_server_holds_no_secret(firm, release):
    answer = firm.client("machine").post("/api/v1/memos", content=release[1], headers=ZIP, timeout=300)
    assert answer.status_code == 200
    text = readable(answer.content)
    assert PEOPLE["risk_manager"] in text
    assert told_by(text, firm) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "place", ["deployments/{}", "deployments", "history/{}", "people", "proposals", "me", "permissions"]
)
def test_no_document_of_the_server_holds_a_secret(firm, release, place):
    answer = firm.client("risk_manager").get(f"/api/v1/{place.format(release[0])}")
    assert answer.status_code == 200, answer.text
    assert told_by(answer.text, firm) == []


@pytest.mark.slow
def test_the_export_with_every_file_of_the_release_holds_no_secret(firm, release):
    files = firm.house.ledger.export()
    assert any(name.startswith("blobs/") for name in files)
    text = "".join(map(readable, files.values()))
    assert release[0] in text
    assert told_by(text, firm) == []
    kept = "".join(map(readable, read_folder(firm.settings.releases).values()))
    assert told_by(kept, firm) == []


@pytest.mark.slow
def test_the_log_and_the_commands_messages_hold_no_secret(firm, release):
    firm.client("machine").get(f"/api/v1/deployments/{release[0]}")
    firm.client().get("/auth/sign-in")  # the provider cannot be reached
    firm.client().get("/api/v1/me", headers={"authorization": f"Bearer {firm.tokens['cto']}x"})
    Worker(firm.house).work()
    log = (firm.settings.home / "serve.log").read_text() + readable(firm.noticed())
    assert release[0] in log
    assert told_by(log, firm) == []
