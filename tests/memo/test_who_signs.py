"""The memo says with what each person signed, and who may not sign."""

import io
from dataclasses import replace

import pytest
import sample
from pypdf import PdfReader

from signoff.domain.events import Barred, Because
from signoff.domain.memo.document import Mark
from signoff.domain.memo.standing import Standing
from signoff.domain.policy import ApprovalPolicy, Policy, Role, Tier
from signoff.rendering.markdown import markdown
from signoff.rendering.pdf import pdf

STRONG = (Role.RISK_MANAGER, Role.CTO)
GROUNDS = (
    Barred(name="Kim", because=Because.WROTE, source="3 of the 4 commit(s) 1a2b..3c4d"),
    Barred(name="Kim", because=Because.PRODUCED_EVIDENCE, source="ran 8 of the 9 run(s) of trials"),
    Barred(
        name="mfisher", because=Because.PRODUCED_EVIDENCE, source="ran 1 of the 9 run(s) of trials", is_enrolled=False
    ),
)


def signatures():
    """One of each role, each with a key id of its own; two of them made with an authenticator."""
    return tuple(
        sample.signature(role, key_id=f"{number:02d}" * 32, tier=Tier.WEBAUTHN if role in STRONG else Tier.KEY)
        for number, role in enumerate(Role, start=1)
    )


def standing(**changed):
    return sample.memo(standing=replace(sample.standing(), approvals=signatures(), **changed))


def text_of(memo):
    """Markdown, and what a reader of the PDF reads, in one line."""
    pages = PdfReader(io.BytesIO(pdf(memo))).pages
    return markdown(memo)[0].decode(), " ".join(" ".join(page.extract_text() for page in pages).split())


def test_the_tier_stands_beside_each_signature_in_markdown_and_pdf():
    policy = Policy(name="firm", version="1", approvals=ApprovalPolicy(webauthn_roles=STRONG))
    memo = sample.memo(policy=policy, standing=replace(sample.standing(), approvals=signatures()))
    written, printed = text_of(memo)
    for signature in signatures():
        said = f"{'webauthn' if signature.role in STRONG else 'key'} {signature.key_id[:12]}…"
        row = f"{signature.person} | **APPROVED** | 2018-12-20 | {said} | none"
        assert row in written.replace("\\", "")
        assert "".join(row.replace("|", "").replace("*", "").split()) in "".join(printed.split())
    asked = ", ".join(role.title for role in policy.approvals.required if role in STRONG)
    assert f"Signed with an authenticator (webauthn)**: {asked}" in written


@pytest.mark.parametrize("tier", Tier)
def test_an_approval_by_who_is_declared_to_deploy_is_no_signature_over_section_12(tier):
    certifier = sample.dossier().sign_off.signed_by
    signed = replace(sample.signature(Role.MODEL_OWNER, person=certifier), tier=tier)
    memo = sample.memo(standing=replace(sample.standing(), approvals=(signed,)))
    assert sample.cell(memo, "12", "Deployed By").text == f"declared by K. Example: {certifier}"
    assert sample.cell(memo, "12", "Date").mark is Mark.NOT_PROVIDED
    assert sample.cell(memo, "12", "Signature").mark is Mark.NOT_PROVIDED


def test_the_memo_says_who_may_not_sign_with_every_reason():
    written, printed = text_of(standing(barred=("Kim", "mfisher"), grounds=GROUNDS))
    for said in (written, printed):
        assert (
            "Kim: wrote it (3 of the 4 commit(s) 1a2b..3c4d); "
            "produced evidence for it (ran 8 of the 9 run(s) of trials)" in said.replace("\\", "")
        )
        assert "mfisher: produced evidence for it" in said
        assert "no enrolled person has this name" in said


def test_a_release_of_an_older_signoff_names_them_without_reasons_and_a_draft_nobody():
    written, _ = markdown(standing(barred=("Quinn",)))
    assert "- Quinn\n" in written.decode()
    draft, _ = markdown(sample.memo(standing=Standing(required=sample.standing().required)))
    assert "when the release is submitted" in draft.decode()


def test_what_could_not_be_read_stands_in_the_change_management_and_authors_are_named_there():
    unread = "the authors of v1..v2: expected a local clone at /gone, found no folder there"
    written, printed = text_of(standing(grounds=GROUNDS, unread=(unread,)))
    assert unread in written.replace("\\", "")
    assert unread.replace(" ", "") in printed.replace(" ", "")
    memo = standing(grounds=GROUNDS)
    assert sample.cell(memo, "8.3", "Commit Authors").text == "Kim (3 of the 4 commit(s) 1a2b..3c4d)"


def test_a_reviewer_who_wrote_commits_is_not_independent_by_what_git_says():
    reviewer = sample.dossier().governance.reviewers[0]
    wrote = Barred(name=reviewer, because=Because.WROTE, source="1 of the 1 commit(s) 1a2b..3c4d")
    review = sample.cell(standing(grounds=(wrote,)), "8.3", "Code Review").text
    assert f"wrote commits themselves: {reviewer}" in review
