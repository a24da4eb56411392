import { ask, at, challengeOf, fromBase64, guarded, signed, signedIn, tell, toUrl } from "/pages/signing.js";

const [kind, identity] = location.pathname.split("/").slice(1).map(decodeURIComponent);
const isRearming = kind === "rearm";
const place = `/${isRearming ? "models" : "deployments"}/${encodeURIComponent(identity)}`;
const WORDS = {
  approve: ["approve", "approvals"],
  conditional: ["approve with conditions", "approvals"],
  override: ["override the gates that did not pass, for", "overrides"],
  reject: ["reject", "rejections"],
  rearm: ["arm again, after it was killed,", "rearm"],
};
const EXPLAINED = ["override", "reject", "rearm"];
const CHOICES = { override: "override the gates", rearm: "arm the model again" };
const inWords = (role) => (role === "cto" ? "CTO / Head of Tech" : role.replaceAll("_", " "));
let me = null;
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
    reason: EXPLAINED.includes(verdict) ? at("reason").value.trim() : "",
  };
}

function choose() {
  at("with-conditions").hidden = at("verdict").value !== "conditional";
  at("with-reason").hidden = !EXPLAINED.includes(at("verdict").value);
  forget();
}

function forget() {
  prepared = null;
  at("words").hidden = true;
}

// The words are read from the bytes that will be signed, and must be what was chosen on this page.
async function show() {
  const wanted = asked();
  const said = await ask(`${place}${isRearming ? "/rearm" : ""}/statements`, wanted);
  const payload = fromBase64(said.statement);
  const exact = new TextDecoder("utf-8", { fatal: true }).decode(payload);
  const { subject, predicate } = JSON.parse(exact);
  const about = isRearming ? `model/${identity}` : identity;
  const chosen = [wanted.role, wanted.verdict, wanted.conditions, wanted.reason, about, me];
  const told = ["role", "verdict", "conditions", "reason", "deployment", "person"].map((name) => predicate[name]);
  if (JSON.stringify(chosen) !== JSON.stringify(told)) {
    throw new Error("The server asks for a signature over something else than you chose. Nothing was signed; tell the operators.");
  }
  const [decision] = WORDS[predicate.verdict];
  const [verb, ...under] = decision.split(" with conditions");
  at("sentence").textContent =
    `You, ${predicate.person}, as ${inWords(predicate.role)}, ${verb} version ${predicate.version || "(none is live)"} of ` +
    `${predicate.model}${under.length ? ", with conditions" : ""}.`;
  at("facts").replaceChildren();
  if (!isRearming) fact("Release", predicate.deployment);
  fact("Model", predicate.model);
  fact(isRearming ? "Live versions" : "Version", predicate.version || "none");
  fact("Decision", decision);
  fact("Role", inWords(predicate.role));
  fact("Conditions", predicate.conditions.join("; ") || "none");
  if (predicate.reason) fact("Reason", predicate.reason);
  fact(isRearming ? "Digest of model and kill" : "Digest of the files", subject[0].digest.sha256, true);
  fact("Signed at", predicate.signed_at.replace("T", " ").slice(0, 19) + " UTC");
  fact("Holds until", predicate.expires_at.replace("T", " ").slice(0, 16) + " UTC");
  at("manifest").href = `/api/v1${place}/editions/submitted/manifest.json`;
  at("memo").href = `/api/v1${place}/editions/submitted/deployment_memo.pdf`;
  at("of-files").hidden = isRearming;
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
    const said = isRearming ? { role, reason, envelope } : { role, conditions, reason, envelope };
    const done = await ask(`${place}/${WORDS[wanted.verdict][1]}`, said);
    at("choice").hidden = true;
    forget();
    if (isRearming) {
      const next = done.latched ? `It takes a second person; signed so far: ${done.signed.join(", ")}.` : "The model is armed.";
      tell(`Signed with your authenticator, and on record. ${next}`, true);
      return;
    }
    const left = done.missing_roles.map(inWords).join(", ");
    const open = left && done.state === "awaiting_approval" ? ` It waits for: ${left}.` : "";
    tell(`Signed with your authenticator, and on record. The release is ${done.state.replaceAll("_", " ")}.${open}`, true);
  } finally {
    at("sign").disabled = false;
  }
}

function offer(roles, verdicts) {
  if (!credentials.length) {
    const command = `signoff ${isRearming ? "rearm" : "approve"} ${identity} --role ROLE --server ${location.origin}`;
    tell(`You have no authenticator that counts yet. Add one under “Your authenticators” below, or sign with your key file: ${command}`);
    return;
  }
  if (!roles.length) {
    tell("There is nothing here for you to sign: your roles are not asked, or have signed.");
    return;
  }
  at("role").append(...roles.map((role) => option(role, inWords(role))));
  at("verdict").append(...verdicts.map((verdict) => option(verdict, CHOICES[verdict] ?? WORDS[verdict][0])));
  at("choice").hidden = false;
  choose();
}

function offerRelease(found, roles) {
  at("title").textContent = `${found.model} v${found.version}`;
  const signed = found.approvals.map((s) => `${s.person} (${inWords(s.role)}, ${s.tier})`).join(", ");
  at("stands").textContent = `${identity} is ${found.state.replaceAll("_", " ")}. Signed so far: ${signed || "nobody"}.`;
  const isOverride = found.state === "validated" && found.blocking.length > 0;
  const asked = isOverride ? roles : roles.filter((role) => found.missing_roles.includes(role));
  offer(asked, isOverride ? ["override", "reject"] : ["approve", "conditional", "reject"]);
}

async function begin() {
  const session = await signedIn(location.pathname);
  if (!session) return;
  const [known, held] = await Promise.all([ask("/me"), ask("/credentials")]);
  me = known.name;
  credentials = held.credentials;
  if (isRearming) {
    at("title").textContent = `Arm ${identity} again`;
    offer(known.roles, ["rearm"]);
  } else {
    offerRelease(await ask(place), known.roles);
  }
}

at("choice").addEventListener("submit", guarded(show));
at("choice").addEventListener("input", choose);
at("sign").addEventListener("click", guarded(sign));
guarded(begin)();
