"""Time stamps (RFC 3161) over checkpoints: the request to an authority, and the offline check of its answer.

The library that parses the answers is imported only when needed; without it a stamp stays unchecked.
"""

from datetime import UTC
from types import ModuleType
from typing import Final

from signoff.domain.errors import BadInputError, TamperedError, UnavailableError

MEDIA_TYPE: Final = "application/timestamp-query"


class Roots:
    """Root certificates of authorities that the auditor trusts, from their own PEM file."""

    def __init__(self, pem: bytes) -> None:
        from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415 - only where a time stamp is met

        try:
            self._certificates = load_pem_x509_certificates(pem)
        except ValueError as error:
            raise BadInputError(
                f"Expected the root certificates of a time-stamping authority as PEM, found something else: {error}."
            ) from error

    def stamped_at(self, note: bytes, answer: bytes, *, nonce: int | None = None) -> str:
        """When a note was stamped, in UTC. TamperedError unless these roots certify the stamp of this note."""
        library = _library()
        try:
            response = library.decode_timestamp_response(answer)
            builder = library.VerifierBuilder(roots=list(self._certificates), nonce=nonce)
            builder.build().verify_message(response, note)
            moment = response.tst_info.gen_time
        except (library.VerificationError, ValueError, TypeError) as error:
            raise TamperedError(f"The time stamp does not hold for this checkpoint: {error}.") from error
        stamped: str = moment.astimezone(UTC).isoformat(timespec="seconds")
        return stamped


def request_for(note: bytes) -> tuple[bytes, int]:
    """The request for a stamp over the note's SHA-256, and the nonce that the answer must repeat."""
    library = _library()
    builder = library.TimestampRequestBuilder(data=note, hash_algorithm=library.HashAlgorithm.SHA256)
    request = builder.build()
    return request.as_bytes(), request.nonce


def _library() -> ModuleType:
    try:
        import rfc3161_client  # noqa: PLC0415 - only where a time stamp is met
    except ModuleNotFoundError as error:
        raise UnavailableError(
            "Time stamps cannot be checked here: rfc3161-client is not installed. Nothing can be said of them; "
            "pip install rfc3161-client, and verify again."
        ) from error
    return rfc3161_client
