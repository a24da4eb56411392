"""Runs a server's verb in a process of its own: one request on standard input, one answer on standard output.

The request is a JSON document with the verb, its subject, and the settings of the installation. It comes on standard
input, so that neither the command line nor the environment holds the database's password or the secret that proves
the actor. The answer is one line of JSON: the verb's document, or a problem with the code of the error. A process
that ends without such a line has not answered.
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
from signoff.domain.errors import BadInputError, SignoffError, UnavailableError, error_of
from signoff.domain.events import ActorProof
from signoff.domain.permissions import Permission, may_locally
from signoff.installation import Installation
from signoff.verbs.local import Local
from signoff.verbs.release_documents import Document

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
        """Decode a request from `to_json`."""
        return TypeAdapter(cls).validate_python(json.loads(content))

    def to_json(self) -> bytes:
        """The request as bytes, without secrets that a child does not need."""
        settings = replace(self.settings, oidc=None, webhook=None, pager=None, notifier=None, server=None, token=None)
        request = TypeAdapter(ChildRequest).dump_python(replace(self, settings=settings), mode="json")
        return json.dumps(request).encode()  # in ASCII, since a path may have no UTF-8 form


def carry_out(asked: ChildRequest) -> Document:
    """Carry out the verb; return its document, and leave its files in `out`."""
    refuse_library_settings()
    settings = asked.settings
    house = Installation(settings, proof=ActorProof.AUTHENTICATED)
    house.refuse_open_home()
    if not house.is_sent_for(settings.actor):
        raise UnavailableError(
            f"Expected the secret of the server that asks for {settings.actor}, found one that was used or has "
            "expired. Nothing was done; send the same request again."
        )
    people = house.record.people().by_name
    may_locally(settings.actor, PERMISSIONS[asked.verb], {name: person.duties for name, person in people.items()})
    return _document(Local(house, settings.actor), asked)


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
        reply: dict[str, object] = {"document": carry_out(ChildRequest.read(content))}
    except SignoffError as error:
        guard = {"guard": guarded} if (guarded := getattr(error, "guard", None)) else {}
        reply = {"problem": {"code": error.code, "exit_code": error.exit_code, "message": str(error), **guard}}
    stream.write(json.dumps(reply, default=str).encode() + b"\n")
    stream.flush()


def read_answer(written: bytes) -> Document:
    """The document of an answer. A problem is raised as its error, and an invalid answer as ValueError."""
    try:
        parsed: Any = json.loads(written)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    match parsed:
        case {"document": dict(document), **others} if not others and document:
            return document
        case {"problem": {"code": str(code), "message": str(message), **further}, **others} if not others:
            guard = further.get("guard")
            raise error_of(code, message, guard=None if guard is None else str(guard))
        case _:
            raise ValueError("neither a document nor a problem")


def main() -> None:
    """Answer one request. Output of libraries goes to standard error, so that standard output has only the answer."""
    with os.fdopen(os.dup(1), "wb") as stream:
        os.dup2(2, 1)
        answer(sys.stdin.buffer.read(), stream)


if __name__ == "__main__":
    main()
