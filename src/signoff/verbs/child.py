"""What a server has carried out in a process of its own: one request on standard input, one answer on standard output.

The request is a JSON document with the verb, what it is about, and the settings of the installation. It comes on
standard input, so that neither the command line nor the environment holds the database's password or the secret that
says for whom the server asks. The answer is one line of JSON: the verb's document, or a problem with the code of the
error. A process that ends without such a line has not answered.
"""

import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from pydantic import TypeAdapter

from signoff.adapters.folders import write_folder
from signoff.adapters.foreign_files import refuse_library_settings
from signoff.config.settings import Settings
from signoff.domain.access import Permission, may_locally
from signoff.domain.errors import BadInputError, SignoffError, UnavailableError, error_of
from signoff.domain.events import ActorProof
from signoff.installation import Installation
from signoff.verbs.documents import Document
from signoff.verbs.local import Local

MODULE: Final = "signoff.verbs.child"
PERMISSIONS: Final = {
    "check": Permission.CHECK,
    "submit": Permission.SUBMIT,
    "memo": Permission.CHECK,
    "living_memo": Permission.READ,
    "rehearse": Permission.REHEARSE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRequest:
    """A verb for a child process, in the name of the settings' actor.

    `subject` is a model or the id of a release, `folder` an unpacked dossier, `out` the folder for a memo.
    """

    verb: str
    settings: Settings
    subject: str = ""
    folder: Path | None = None
    out: Path | None = None

    @classmethod
    def read(cls, content: bytes) -> Self:
        """The request in these bytes, which `to_json` made."""
        return TypeAdapter(cls).validate_python(json.loads(content))

    def to_json(self) -> bytes:
        """The request as bytes, without secrets that no verb of a child needs."""
        known = replace(self.settings, oidc=None, webhook=None, pager=None, notifier=None, server=None, token=None)
        said = TypeAdapter(ChildRequest).dump_python(replace(self, settings=known), mode="json")
        return json.dumps(said).encode()  # in ASCII, since a path may hold what has no UTF-8


def carry_out(asked: ChildRequest) -> Document:
    """The document of the verb; its files are in the folder `out` then."""
    refuse_library_settings()
    known = asked.settings
    house = Installation(known, proof=ActorProof.AUTHENTICATED)
    house.refuse_open_home()
    if not house.is_sent_for(known.actor):
        raise UnavailableError(
            f"Expected the secret of the server that asks for {known.actor}, found one that was used or has expired. "
            "Nothing was done; send the same request again."
        )
    people = house.record.people().by_name
    may_locally(known.actor, PERMISSIONS[asked.verb], {name: person.duties for name, person in people.items()})
    return _document(Local(house, known.actor), asked)


def _document(local: Local, asked: ChildRequest) -> Document:
    match asked:
        case ChildRequest(verb="check", folder=Path() as folder):
            return local.check(folder, None)
        case ChildRequest(verb="submit", folder=Path() as folder):
            return local.submit(folder, None)
        case ChildRequest(verb="memo", folder=Path() as folder, out=Path() as out):
            document, files = local.memo(folder, None)
            write_folder(out, files)
            return {**document, "files": sorted(files)}
        case ChildRequest(verb="living_memo", out=Path() as out):
            release, signed, altered, files = local.living_memo(asked.subject)
            write_folder(out, files)
            return {**release, "signed_memo": signed or None, "altered": altered, "files": sorted(files)}
        case ChildRequest(verb="rehearse"):
            return local.rehearse(asked.subject, asked.folder)
        case _:
            raise BadInputError(f"Expected what `{asked.verb}` takes, found folder {asked.folder} and out {asked.out}.")


def answer(content: bytes, stream: BinaryIO) -> None:
    """Carry out one request, and write its answer."""
    try:
        said: dict[str, object] = {"document": carry_out(ChildRequest.read(content))}
    except SignoffError as error:
        guard = {"guard": found} if (found := getattr(error, "guard", None)) else {}
        said = {"problem": {"code": error.code, "exit_code": error.exit_code, "message": str(error), **guard}}
    stream.write(json.dumps(said, default=str).encode() + b"\n")
    stream.flush()


def read_answer(written: bytes) -> Document:
    """The document of an answer. A problem is raised as the error that it tells of, and ValueError for nonsense."""
    try:
        found: Any = json.loads(written)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    match found:
        case {"document": dict(document), **others} if not others and document:
            return document
        case {"problem": {"code": str(code), "message": str(message), **further}, **others} if not others:
            guard = further.get("guard")
            raise error_of(code, message, guard=None if guard is None else str(guard))
        case _:
            raise ValueError("neither a document nor a problem")


def main() -> None:
    """Answer one request. Whatever a library prints goes to standard error, so that only the answer is an answer."""
    with os.fdopen(os.dup(1), "wb") as stream:
        os.dup2(2, 1)
        answer(sys.stdin.buffer.read(), stream)


if __name__ == "__main__":
    main()
