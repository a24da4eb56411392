"""A time-stamping authority on loopback: OpenSSL's own `ts -reply` behind a small server, with its own certificates."""

import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONFIGURATION = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ordering = yes
ess_cert_id_alg = sha256
"""


class Authority:
    """Its files, its answers, and how it may be made to misbehave."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        self.folder, self.asked, self.spoil, self.status = folder, 0, None, 200
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root = certificate("Root", root_key, "Root", root_key, is_authority=True)
        signer = certificate("TSA", key, "Root", root_key, is_authority=False)
        (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
        (folder / "tsa.pem").write_bytes(signer.public_bytes(Encoding.PEM))
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "tsa.key").write_bytes(pem)
        (folder / "serial").write_text("01\n")
        (folder / "ts.cnf").write_text(CONFIGURATION.format(folder=folder))

    @property
    def root(self):
        return self.folder / "root.pem"

    def reply(self, question):
        self.asked += 1
        (self.folder / "question.tsq").write_bytes(question)
        line = ["openssl", "ts", "-reply", "-config", "ts.cnf", "-queryfile", "question.tsq", "-out", "answer.tsr"]
        subprocess.run(line, cwd=self.folder, check=True, capture_output=True)
        answer = (self.folder / "answer.tsr").read_bytes()
        return answer if self.spoil is None else self.spoil(answer)

    @contextmanager
    def listening(self):
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                question = self.rfile.read(int(self.headers["content-length"]))
                answer = authority.reply(question) if authority.status == 200 else b"no"
                self.send_response(authority.status)
                self.send_header("content-type", "application/timestamp-reply")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/tsa"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def certificate(name, key, issuer, issuer_key, *, is_authority):
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not is_authority:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(issuer_key, hashes.SHA256())
