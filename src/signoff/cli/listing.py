"""The list of commands for help, which loads none of them."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Listed(NamedTuple):
    """A command in the list: the module in `signoff.cli` that has it, and the first line of its help."""

    module: str
    summary: str


# The commands by purpose, in the order of a release's life.
PANELS: Final[Mapping[str, Mapping[str, Listed]]] = {
    "Validate": {
        "demo": Listed(
            "demonstrating",
            "The main job from candidate to rollback, on real data; an interrupted run continues where it was.",
        ),
        "verdict": Listed("judging", "Judge a column of returns by every gate that the data allow, without a dossier."),
        "init": Listed("checking", "Write a dossier to fill in, commented, with an editor schema."),
        "import": Listed(
            "importing",
            "Convert the result of another tool into a table of evidence, with a note of where it came from.",
        ),
        "check": Listed(
            "checking",
            "Validate the dossier, run every gate, print the table, and say what `memo` and `submit` will refuse.",
        ),
        "replay": Listed(
            "replaying",
            "Recompute features on many dates with the future removed and scrambled. Exit 0 when none moved, else 1.",
        ),
        "benchmark": Listed(
            "benchmarking",
            "Measure a registered version: latency, memory and predictions a second, for section 11.2 of the memo.",
        ),
        "memo": Listed(
            "checking",
            "Write the deployment memo (Markdown, HTML, PDF), its four attachments and the manifest.",
        ),
    },
    "Release": {
        "submit": Listed(
            "approving",
            "Open a release, run the gates, issue the memo for signature; prints the deployment id.",
        ),
        "override": Listed(
            "approving",
            "Take responsibility for the gates that block; the last signature needed issues the memo.",
        ),
        "approve": Listed(
            "approving",
            "Sign the manifest in a role, after its content is shown; at a terminal you are asked first.",
        ),
        "reject": Listed("approving", "End a release before its rollout; it sticks."),
        "clear-condition": Listed("approving", "Say that a condition of your own approval is met."),
        "rehearse": Listed(
            "rollout",
            "Rehearse the rollback with measured times: staging flags, staged orders, the real previous version.",
        ),
        "grandfather": Listed(
            "approving",
            "Record a version that was live before Signoff came. Never validated here, and said so.",
        ),
        "done": Listed(
            "rollout",
            "Record that you did an item of section 9: a meeting, a dashboard, a document, a message.",
        ),
    },
    "Run": {
        "rollout": Listed("rollout", "The phases of a release."),
        "observe": Listed(
            "rollout",
            "One monitoring pass: measure a session that has closed, record it, roll back if a trigger holds.",
        ),
        "worker": Listed(
            "rollout",
            "The background work: record kills, finish rollbacks, watch deadlines, observe, send notices, "
            "anchor the ledger.",
        ),
        "serve": Listed(
            "serving",
            "Serve people, desks and programs: the API, flags and streams. Stop it with Ctrl-C.",
        ),
        "notices": Listed(
            "serving",
            "List undelivered notices, their attempts, and why they were refused.",
        ),
        "review": Listed(
            "rollout",
            "The 30-day review: targets against what happened. Exit 1 unless every target was met.",
        ),
        "post-mortem": Listed("rollout", "Record the post-mortem of a rollback; the policy says when it is due."),
    },
    "Stop": {
        "kill": Listed(
            "rollout",
            "Stop trading a model, the models of a desk, or all of them now: flags off, orders fenced and cancelled.",
        ),
        "rearm": Listed(
            "rollout",
            "Sign for arming a killed model again; the second person arms, and live releases re-enter at shadow.",
        ),
    },
    "Look": {
        "status": Listed("status", "Where things stand. Example: `signoff status --model momentum`"),
        "history": Listed("status", "Who did what, in the ledger's order."),
        "journal": Listed("journal", "The journal of a trading process."),
        "verify": Listed(
            "auditing",
            "Re-hash every byte, verify every signature, replay the state machine. Exit 0 intact, 1 "
            "tampered, 2 unanchored.",
        ),
        "export": Listed(
            "auditing",
            "Write the ledger and its blobs for an auditor. Example: `signoff export audit-2019`",
        ),
        "keys": Listed(
            "auditing",
            "Print the public keys: a desk pins one to verify flags, an auditor needs one to verify an export.",
        ),
        "version": Listed("status", "Print the version of Signoff."),
    },
    "Administer": {
        "policy": Listed("policy", "The installation's policy, which every release is held to."),
        "people": Listed("approving", "Who may sign in which role."),
        "accounts": Listed("accounts", "Who may do what."),
        "token": Listed("accounts", "Tokens for programs and for people at a command line."),
        "credential": Listed("credentials", "Your authenticators: passkeys and tokens that sign in the browser."),
        "ledger": Listed("auditing", "The ledger's own keys."),
        "anchor": Listed("auditing", "Keep the present checkpoint where writers of the ledger cannot change it."),
        "db": Listed("database", "The database's schema and its least privileged role."),
    },
}
