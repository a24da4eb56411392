"""The permission matrix, which is public."""

from fastapi import APIRouter

from signoff.domain.permissions import MATRIX, NEEDS_FRESH_SIGN_IN, NEEDS_SIGN_IN, PERSONAL

router = APIRouter(prefix="/api/v1", tags=["access"])


@router.get("/permissions")
def permissions() -> dict[str, dict[str, list[str]] | list[str]]:
    """The permissions of each access role. The documentation has the same table."""
    return {
        "duties": {duty.value: sorted(verbs) for duty, verbs in MATRIX.items()},
        "personal": sorted(PERSONAL),
        "needs_sign_in": sorted(NEEDS_SIGN_IN),
        "needs_fresh_sign_in": sorted(NEEDS_FRESH_SIGN_IN),
    }
