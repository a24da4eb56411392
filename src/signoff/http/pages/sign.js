import { ask, at, challengeOf, fromBase64, guarded, signed, signedIn, tell, toUrl } from "/pages/signing.js";

const identity = decodeURIComponent(location.pathname.split("/").pop());
const WORDS = {
  approve: ["approve", "approvals"],
  conditional: ["approve with conditions", "approvals"],
  override: ["override the gates that did not pass, for", "overrides"],
  reject: ["reject", "rejections"],
};
const inWords = (role) => (role === "cto" ? "CTO / Head of Tech" : role.replaceAll("_", " "));
let release = null;
let credentials = [];
let prepared = null;

function option(value, words) {
  const made = document.createElement("option");
  made.value = value;
  made.textContent = words;
  return made;
}

function fact(name, value, isFigure = false) {
  const title = document.createElement("dt");
  const told = document.createElement("dd");
  title.textContent = name;
  told.textContent = value;
  told.className = isFigure ? "figure" : "";
  at("facts").append(title, told);
}

function asked() {
  const verdict = at("verdict").value;
  const lines = verdict === "conditional" ? at("conditions").value.split("\n") : [];
  return {
    role: at("role").value,
    verdict,
    conditions: lines.map((line) => line.trim()).filter(Boolean),
    reason: ["override", "reject"].includes(verdict) ? at("reason").value.trim() : "",
  };
}

function choose() {
  at("with-conditions").hidden = at("verdict").value !== "conditional";
  at("with-reason").hidden = !["override", "reject"].includes(at("verdict").value);
  forget();
}

function forget() {
  prepared = null;
  at("words").hidden = true;
}

// The words are read from the bytes that will be signed, and must be what was chosen on this page.
async function show() {
  const wanted = asked();
  const said = await ask(`/deployments/${encodeURIComponent(identity)}/statements`, wanted);
  const payload = fromBase64(said.statement);
  const exact = new TextDecoder("utf-8", { fatal: true }).decode(payload);
  const { subject, predicate } = JSON.parse(exact);
  const chosen = [wanted.role, wanted.verdict, wanted.conditions, wanted.reason, identity, release.me];
  const told = ["role", "verdict", "conditions", "reason", "deployment", "person"].map((name) => predicate[name]);
  if (JSON.stringify(chosen) !== JSON.stringify(told)) {
    throw new Error("The server asks for a signature over something else than you chose. Nothing was signed; tell the operators.");
  }
  const [verb] = WORDS[predicate.verdict];
  at("sentence").textContent =
    `You, ${predicate.person}, as ${inWords(predicate.role)}, ${verb} version ${predicate.version} of ${predicate.model}.`;
  at("facts").replaceChildren();
  fact("Release", predicate.deployment);
  fact("Model", predicate.model);
  fact("Version", predicate.version);
  fact("Decision", verb);
  fact("Role", inWords(predicate.role));
  fact("Conditions", predicate.conditions.join("; ") || "none");
  if (predicate.reason) fact("Reason", predicate.reason);
  fact("Digest of the files", subject[0].digest.sha256, true);
  fact("Signed at", predicate.signed_at.replace("T", " ").slice(0, 19) + " UTC");
  fact("Holds until", predicate.expires_at.replace("T", " ").slice(0, 16) + " UTC");
  const edition = `/api/v1/deployments/${encodeURIComponent(identity)}/editions/submitted`;
  at("manifest").href = `${edition}/manifest.json`;
  at("memo").href = `${edition}/deployment_memo.pdf`;
  at("bytes").textContent = exact;
  at("challenge").textContent = toUrl(await challengeOf(payload));
  at("words").hidden = false;
  prepared = { payload, wanted };
  at("sign").focus();
}

async function sign() {
  at("sign").disabled = true;
  try {
    const { payload, wanted } = prepared;
    const envelope = await signed(payload, credentials);
    const { role, conditions, reason } = wanted;
    const path = `/deployments/${encodeURIComponent(identity)}/${WORDS[wanted.verdict][1]}`;
    const done = await ask(path, { role, conditions, reason, envelope });
    at("choice").hidden = true;
    forget();
    const left = done.missing_roles.map(inWords).join(", ");
    const open = left && done.state === "awaiting_approval" ? ` It waits for: ${left}.` : "";
    tell(`Signed with your authenticator, and on record. The release is ${done.state.replaceAll("_", " ")}.${open}`, true);
  } finally {
    at("sign").disabled = false;
  }
}

async function begin() {
  const session = await signedIn(location.pathname);
  if (!session) return;
  const [me, found, held] = await Promise.all([
    ask("/me"),
    ask(`/deployments/${encodeURIComponent(identity)}`),
    ask("/credentials"),
  ]);
  release = { ...found, me: me.name };
  credentials = held.credentials;
  at("title").textContent = `${found.model} v${found.version}`;
  at("stands").textContent =
    `${identity} is ${found.state.replaceAll("_", " ")}. Signed so far: ` +
    (found.approvals.map((s) => `${s.person} (${inWords(s.role)}, ${s.tier})`).join(", ") || "nobody") + ".";
  if (!credentials.length) {
    tell("You have no authenticator that counts yet. Add one under “Your authenticators” below.");
    return;
  }
  const isOverride = found.state === "validated" && found.blocking.length > 0;
  const roles = isOverride ? me.roles : me.roles.filter((role) => found.missing_roles.includes(role));
  if (!roles.length) {
    tell("There is nothing here for you to sign: your roles are not asked, or have signed.");
    return;
  }
  at("role").append(...roles.map((role) => option(role, inWords(role))));
  const verdicts = isOverride ? ["override", "reject"] : ["approve", "conditional", "reject"];
  at("verdict").append(...verdicts.map((verdict) => option(verdict, verdict === "override" ? "override the gates" : WORDS[verdict][0])));
  at("choice").hidden = false;
  choose();
}

at("choice").addEventListener("submit", guarded(show));
at("choice").addEventListener("input", choose);
at("sign").addEventListener("click", guarded(sign));
guarded(begin)();
