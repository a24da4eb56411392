"""Asks a server for each verb. Private keys stay here: people sign on their own machine what the server will record.

The server supplies the statement to sign, and it is checked first: it must name exactly the person, role, verdict and
release that were requested.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

from pydantic_core import to_jsonable_python

from signoff.adapters.archives import pack, unpack
from signoff.adapters.documents import load_policy
from signoff.adapters.folders import read_folder
from signoff.adapters.signing_keys import KeyFile
from signoff.domain.errors import (
    BadInputError,
    NotFoundError,
    RefusedError,
    SignoffError,
    TamperedError,
    UnavailableError,
    error_of,
)
from signoff.domain.events import DutiesGranted, PersonEnrolled, SubjectBound, Vote
from signoff.domain.floor import subject_of
from signoff.domain.gates.assess import Progress, silent
from signoff.domain.permissions import AccessRole, Permission
from signoff.domain.policy import Role
from signoff.ledger.envelope import deployer_signed_at, deployer_statement, read_statement
from signoff.ledger.floor import content_of
from signoff.verbs.catalogue import Row, Verbs
from signoff.verbs.local import SignAs, SignPolicyAs, checked_vouching, only_open, policy_role
from signoff.verbs.looks import PAGE
from signoff.verbs.release_documents import Document

SECONDS: Final = 30.0
LONG: Final = 900.0
IDEMPOTENCY_KEY: Final = "idempotency-key"
ZIPPED: Final = {"content-type": "application/zip"}


@dataclass(frozen=True, slots=True)
class Remote(Verbs):
    """Verbs over HTTP. `keys` finds the private key of a person on this machine.

    `expected` is the revision that the caller saw; a decision on an older one is refused.
    """

    client: Any
    keys: Callable[[str], Path]
    expected: int | None = None

    @classmethod
    def reach(cls, url: str, token: str | None, *, keys: Callable[[str], Path]) -> "Remote":
        """A client of the server at this URL; nothing is sent yet."""
        if token is None:
            raise BadInputError(
                f"Expected a token for {url}, found none. Issue one with `signoff token issue` and give it as "
                "SIGNOFF_TOKEN, SIGNOFF_TOKEN_FILE or --token."
            )
        headers = {"authorization": f"Bearer {token}"}
        return cls(_httpx().Client(base_url=url.rstrip("/") + "/api/v1", headers=headers, timeout=SECONDS), keys)

    def at(self, deployment_id: str, revision: int | None) -> "Remote":  # noqa: ARG002 - the paths name the release
        return replace(self, expected=revision)

    def ask(self, row: Row, /, **arguments: object) -> Document:
        """Ask for a verb by its row: an argument goes into the path, the query or the body."""
        values: dict[str, Any] = to_jsonable_python(arguments)
        path = row.path.format(**{name: _part(str(values.pop(name))) for name in row.named_in_path})
        if row.listed is not None:
            return self._every(path, row.listed)
        how = {"json": values} if row.method == "POST" else {"params": values}
        return self._send(row.method, path, is_named=row.is_repeatable, **how)

    def enrol(self, person: PersonEnrolled) -> Document:
        return self._proposed(person)

    def grant(self, name: str, duties: tuple[AccessRole, ...]) -> Document:
        return self._proposed(DutiesGranted(name=name, duties=duties))

    def bind(self, name: str, *, issuer: str, subject: str) -> Document:
        return self._proposed(SubjectBound(name=name, issuer=issuer, subject=subject))

    def _proposed(self, change: PersonEnrolled | DutiesGranted | SubjectBound) -> Document:
        document = {
            field.name: value for field in fields(change) if (value := getattr(change, field.name)) != field.default
        }
        return self._post("/proposals", {"change": to_jsonable_python(document | {"kind": change.kind})})

    def invite(self, name: str) -> Document:
        """Refused: only the owner of the installation can invite the first administrator."""
        raise RefusedError(f"Run `signoff accounts bootstrap` for {name} at the installation itself, without --server.")

    def vouch(self, key_id: str, key: Path | None = None) -> Document:
        credentials = self.credentials()
        name, waiting = str(credentials["name"]), credentials["waiting"]
        statement = base64.b64decode(str(waiting["statement"])) if isinstance(waiting, dict) else b""
        signer = KeyFile.load(key or self.keys(name))
        envelope = signer.sign_statement(checked_vouching(statement, name, key_id))
        return self._post("/credentials/vouchers", {"envelope": envelope})

    def submit(self, folder: Path, policy: Path | None, progress: Progress = silent) -> Document:
        """Send a folder; the server assesses it and opens its release."""
        return _document(self._packed("/deployments", folder, policy, progress))

    def check(
        self, folder: Path, policy: Path | None, progress: Progress = silent, *, seed: int | None = None
    ) -> Document:
        """Send a folder; the server runs every gate and records nothing."""
        _refuse_seed(seed)
        return _document(self._packed("/checks", folder, policy, progress))

    def memo(
        self, folder: Path, policy: Path | None, progress: Progress = silent, *, seed: int | None = None
    ) -> tuple[Document, dict[str, bytes]]:
        """Send a folder; the server runs every gate, composes the memo and records nothing."""
        _refuse_seed(seed)
        files = _unzipped(self._packed("/memos", folder, policy, progress).content)
        document: Document = json.loads(files.pop("answer.json"))
        return document, files

    def _packed(self, path: str, folder: Path, policy: Path | None, progress: Progress) -> Any:  # noqa: ANN401 - the client's
        progress("packing the folder", 0, 2)
        content = pack(folder, policy)
        progress("assessing on the server", 1, 2)
        return self._answered("POST", path, content=content, headers=ZIPPED)

    def propose_policy(self, file: Path, signing: SignPolicyAs) -> Document:
        """Sign for another policy, from its file. The statement is computed here, from the file itself."""
        located, policy = load_policy(file), self.policy()
        number, replaces = int(str(policy["next_number"])), str(policy["replaces"])
        subject = subject_of(number, replaces, content_of(located.value))
        content = {"text": located.content.decode("utf-8-sig")}
        role, envelope = self._policy_envelope("propose", content, Vote.PROPOSE_POLICY, subject, signing)
        return self._post("/policy/proposals", {**content, "role": role.value, "envelope": envelope})

    def confirm_policy(self, proposal: str | None, signing: SignPolicyAs) -> Document:
        """Sign a proposed policy as the second person. Its id is computed here, from the proposed policy."""
        waiting = {str(row["proposal"]): row for row in _listed(self.policy(), "proposals")}
        proposal_id = proposal or only_open(list(waiting))
        if (row := waiting.get(proposal_id)) is None:
            listed = ", ".join(waiting) or "none"
            raise NotFoundError(f"Expected a policy proposal that is open, found {proposal_id!r}; open are: {listed}.")
        subject = subject_of(int(row["number"]), str(row["replaces"]), str(row["content"]))
        if not subject.startswith(proposal_id):
            raise TamperedError(
                f"The server shows another policy than the one that was proposed as {proposal_id}; nothing was signed. "
                "Tell the operators."
            )
        content = {"proposal": proposal_id}
        role, envelope = self._policy_envelope("confirm", content, Vote.CONFIRM_POLICY, subject, signing)
        path = f"/policy/proposals/{_part(proposal_id)}/confirm"
        return self._post(path, {"role": role.value, "envelope": envelope})

    def _policy_envelope(
        self, act: str, policy_content: Mapping[str, object], verdict: Vote, subject: str, signing: SignPolicyAs
    ) -> tuple[Role, str]:
        """The role and the envelope of a signature for the policy, over exactly this subject."""
        me = self._get("/me")
        roles = tuple(Role(str(role)) for role in _listed(me, "roles"))
        role = signing.role or policy_role(str(me["name"]), roles, Permission(verdict.value))
        hand = SignAs(role=role, person=signing.person, key=signing.key)
        key = self._key(hand)
        asked = {**policy_content, "role": role.value, "act": act}
        content = self._statement("/policy/statements", hand, verdict, deployment_id="policy", asked=asked)
        if read_statement(content).subject != subject:
            raise TamperedError(
                "The server asks for a signature over another policy than this one; nothing was signed. Another policy "
                "was confirmed meanwhile, or the server is not to be trusted: look with `signoff policy show`."
            )
        return role, key.sign_statement(content)

    def override(self, deployment_id: str, signing: SignAs, *, reason: str) -> Document:
        return self._signed(deployment_id, signing, Vote.OVERRIDE, "overrides", reason=reason)

    def to_sign(self, deployment_id: str) -> Document:
        """The content that an approval will sign; an older server returns less."""
        try:
            return self._get(f"/deployments/{_part(deployment_id)}/to-sign")
        except NotFoundError:
            return {**self.deployment(deployment_id), "memo": None, "gates": [], "overridden_by": []}

    def approve(
        self, deployment_id: str, signing: SignAs, *, conditions: tuple[str, ...] = (), manifest: str | None = None
    ) -> Document:
        verdict = Vote.CONDITIONAL if conditions else Vote.APPROVE
        return self._signed(deployment_id, signing, verdict, "approvals", conditions=conditions, subject=manifest)

    def reject(self, deployment_id: str, signing: SignAs, *, reason: str) -> Document:
        return self._signed(deployment_id, signing, Vote.REJECT, "rejections", reason=reason)

    def meet(self, deployment_id: str, signing: SignAs, *, condition: str, note: str) -> Document:
        body = {"role": signing.role.value, "condition": condition, "note": note}
        return self._post(f"/deployments/{_part(deployment_id)}/conditions", body)

    def adopt(self, model: str, version: str, signing: tuple[SignAs, ...], *, reason: str) -> Document:
        if len(signing) != 1:
            raise RefusedError(
                f"Expected one --role, found {len(signing)}: at a server each person signs for themselves. Sign in one "
                "role, and let a second person run the same command with the same reason."
            )
        (hand,), path = signing, f"/models/{_part(model)}/adoptions"
        key = self._key(hand)
        body = {"version": version, "role": hand.role.value, "reason": reason}
        statement = self._statement(f"{path}/statements", hand, Vote.ADOPT, reason=reason, asked=body)
        return self._post(path, body | {"envelope": key.sign_statement(statement)})

    def start(self, deployment_id: str, key: Path | None = None) -> Document:
        path, name = f"/deployments/{_part(deployment_id)}", str(self._get("/me")["name"])
        key_path = key or self.keys(name)
        if key is None and not key_path.is_file():
            return self._post(f"{path}/start", {})
        content = base64.b64decode(str(self._post(f"{path}/start-statement", {})["statement"]))
        shown = self.deployment(deployment_id)
        expected = deployer_statement(
            manifest=str(shown["manifest"]),
            deployment=deployment_id,
            model=str(shown["model"]),
            version=str(shown["version"]),
            person=name,
            signed_at=deployer_signed_at(content),
        )
        if content != expected:
            raise TamperedError(
                f"The server asks for a signature over something else than the start of {deployment_id}; nothing was "
                "signed. Tell the operators."
            )
        return self._post(f"{path}/start", {"envelope": KeyFile.load(key_path).sign_statement(content)})

    def living_memo(self, deployment_id: str) -> tuple[Document, str, tuple[str, ...] | None, dict[str, bytes]]:
        """The living memo; the signed memo's place at the server, and its altered files: None if an older server does
        not compare them.
        """
        answer = self._answered("GET", f"/deployments/{_part(deployment_id)}/living-memo", timeout=LONG)
        files = _unzipped(answer.content)
        document: Document = json.loads(files.pop("answer.json"))
        editions = _listed(document, "editions")
        signed = next((edition for edition in ("approved", "submitted") if edition in editions), None)
        path = f"/deployments/{_part(deployment_id)}/editions/{signed}/deployment_memo.pdf"
        altered = tuple(_listed(document, "altered")) if "altered" in document else None
        return document, "" if signed is None else f"{str(self.client.base_url).rstrip('/')}{path}", altered, files

    def rearm(self, model: str, signing: SignAs, *, reason: str) -> Document:
        path = f"/models/{_part(model)}/rearm"
        key = self._key(signing)
        statement = self._statement(f"{path}/statements", signing, Vote.REARM, reason=reason)
        envelope = key.sign_statement(statement)
        return self._post(path, {"role": signing.role.value, "reason": reason, "envelope": envelope})

    def rehearse(self, model: str, folder: Path | None = None) -> Document:
        """Rehearse the rollback on the server, by the plan of a dossier or of the last release on record."""
        if folder is None:
            return self._post(f"/models/{_part(model)}/rehearsals", {})
        content = pack(folder, None)
        return self._send("POST", f"/models/{_part(model)}/rehearsals", content=content, headers=ZIPPED)

    def history(self, name: str, *, after: int = 0, limit: int | None = None) -> Document:
        """The history of a model or one release; page after page to its end, or to the limit."""
        events: list[object] = []
        position: int | None = after
        while position is not None and (limit is None or len(events) < limit):
            wanted = PAGE if limit is None else min(PAGE, limit - len(events))
            page = self._get(f"/history/{_part(name)}", {"after": position, "limit": wanted})
            events += page["history"] if isinstance(page["history"], list) else []
            position = page["next"] if isinstance(page["next"], int) else None
        return {"history": events, "next": position}

    def export(self) -> dict[str, bytes]:
        return _unzipped(self._answered("GET", "/export", timeout=LONG).content)

    def export_pieces(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        return ((name, (content,)) for name, content in self.export().items())

    def _signed(
        self,
        deployment_id: str,
        signing: SignAs,
        verdict: Vote,
        kind: str,
        *,
        conditions: tuple[str, ...] = (),
        reason: str = "",
        subject: str | None = None,
    ) -> Document:
        path = f"/deployments/{_part(deployment_id)}"
        person = self._signs_as(signing)
        statement = self._statement(
            f"{path}/statements", signing, verdict, deployment_id=deployment_id, conditions=conditions, reason=reason
        )
        if subject is not None and read_statement(statement).subject != subject:
            raise TamperedError(
                f"The server asks for a signature over {read_statement(statement).subject[:12]}…, and showed "
                f"{subject[:12]}…; nothing was signed. Look at the memo again, then repeat the command."
            )
        body = {"role": signing.role.value, "conditions": list(conditions), "reason": reason}
        key = KeyFile.load(signing.key or self.keys(person))  # after the server confirmed that this role may sign
        return self._post(f"{path}/{kind}", body | {"envelope": key.sign_statement(statement)})

    def _key(self, signing: SignAs) -> KeyFile:
        return KeyFile.load(signing.key or self.keys(self._signs_as(signing)))

    def _signs_as(self, signing: SignAs) -> str:
        person = str(self._get("/me")["name"])
        if signing.person not in {None, person}:
            raise RefusedError(f"This token is {person}'s, and --as names {signing.person}; sign with their own token.")
        return person

    def _statement(
        self,
        path: str,
        signing: SignAs,
        verdict: Vote,
        *,
        deployment_id: str | None = None,
        conditions: tuple[str, ...] = (),
        reason: str = "",
        asked: Mapping[str, object] | None = None,
    ) -> bytes:
        """The statement that the server would record; TamperedError unless it is the requested one."""
        asked = asked or {
            "role": signing.role.value,
            "verdict": verdict.value,
            "conditions": list(conditions),
            "reason": reason,
        }
        content = base64.b64decode(str(self._post(path, asked)["statement"]))
        read = read_statement(content)
        expected = (signing.role, verdict, conditions, reason)
        if (read.role, read.verdict, read.conditions, read.reason) != expected or deployment_id not in {
            None,
            read.deployment,
        }:
            raise TamperedError(
                f"The server asks for a signature over something else than {verdict.value} as {signing.role.value}; "
                "nothing was signed. Tell the operators."
            )
        return content

    def _every(self, path: str, key: str) -> Document:
        """A list from its first page to its last."""
        listed: list[object] = []
        after: object = None
        while True:
            page = self._get(path, {"limit": PAGE} if after is None else {"limit": PAGE, "after": after})
            rows, after = page[key], page["next"]
            listed += rows if isinstance(rows, list) else []
            if after is None:
                return {key: listed, "next": None}

    def _get(self, path: str, query: dict[str, Any] | None = None) -> Document:
        return self._send("GET", path, params=query or {})

    def _post(self, path: str, body: Mapping[str, object]) -> Document:
        return self._send("POST", path, json=dict(body))

    def _send(self, method: str, path: str, **how: Any) -> Document:  # noqa: ANN401 - passed on to the client
        return _document(self._answered(method, path, **how))

    def _answered(self, method: str, path: str, *, is_named: bool = True, **how: Any) -> Any:  # noqa: ANN401
        """The answer to a request, which gets an idempotency key unless its answer must not be stored."""
        headers = dict(how.pop("headers", {}))
        if method == "POST" and is_named:
            headers[IDEMPOTENCY_KEY] = uuid4().hex
        if method == "POST" and self.expected is not None:
            headers["if-match"] = f'"{self.expected}"'
        if "content" in how:
            how["timeout"] = LONG
        try:
            answer = self._asked(method, path, headers=headers, **how)
        except _httpx().HTTPError as error:
            raise UnavailableError(
                f"Cannot reach the server at {self.client.base_url}: {error}. Whether it was done is not known: look "
                "with `signoff history` before the same command is repeated."
            ) from error
        if answer.is_success:
            return answer
        raise _error(answer.status_code, answer.content)

    def _asked(self, method: str, path: str, *, headers: dict[str, str], **how: Any) -> Any:  # noqa: ANN401
        """The answer; if the connection breaks first, a request with a key is sent once more.

        A timeout is not a broken connection: the request may still be carried out.
        """
        httpx = _httpx()
        try:
            return self.client.request(method, path, headers=headers, **how)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            if method != "GET" and IDEMPOTENCY_KEY not in headers:
                raise
            return self.client.request(method, path, headers=headers, **how)


_: type[Verbs] = Remote


def _document(answer: Any) -> Document:  # noqa: ANN401 - the client's
    document = answer.json()
    assert isinstance(document, dict)
    return document


def _listed(document: Document, key: str) -> list[Any]:
    value = document[key]
    return value if isinstance(value, list) else []


def _part(name: str) -> str:
    """A name, escaped as one part of a path."""
    return quote(name, safe="")


def _unzipped(content: bytes) -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        unpack(content, Path(folder))
        return read_folder(Path(folder))


def _error(status: int, content: bytes) -> SignoffError:
    try:
        body = json.loads(content)
        detail, kind = str(body["detail"]), str(body.get("type", "")).rpartition(":")[2]
    except (ValueError, KeyError, TypeError):
        return UnavailableError(f"The server answered {status} with something that is no problem document.")
    return error_of(kind, detail, guard=body.get("guard"), unknown=UnavailableError if status >= 500 else RefusedError)


def _httpx() -> ModuleType:
    try:
        import httpx  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise UnavailableError("Talking to a server needs the extra `signoff[server]`; install it.") from error
    return httpx


def _refuse_seed(seed: int | None) -> None:
    if seed is not None:
        raise BadInputError(
            f"Expected no --seed with --server, found --seed {seed}: a server draws its own. Leave --server out to "
            "repeat a replay here."
        )
