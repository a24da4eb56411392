"""A policy as the bytes that people sign, and unconfirmed policies."""

from signoff.domain.floor import BUILT_IN, Floor, InForce, Origin, content_digest
from signoff.domain.policy import Policy
from signoff.ledger.codec import decode_state, encode_state


def content_of(policy: Policy) -> str:
    """A policy as canonical JSON: the bytes that people sign."""
    return encode_state(policy).decode()


def read_content(content: str) -> Policy:
    """The policy in these bytes; keys that a later Signoff added get their defaults."""
    return decode_state(Policy, content.encode(errors="surrogatepass"))


def unconfirmed(policy: Policy, origin: Origin, source: str = "") -> InForce:
    """A policy that two people have not confirmed."""
    content = content_of(policy)
    floor = Floor(
        origin=origin, name=policy.name, version=policy.version, digest=content_digest(content), source=source
    )
    return InForce(floor=floor, policy=policy, content=content)


def built_in() -> InForce:
    """The built-in policy, in force where no other was confirmed."""
    return unconfirmed(BUILT_IN, Origin.BUILT_IN)
