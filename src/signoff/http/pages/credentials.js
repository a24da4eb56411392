import { ask, at, digest, fromBase64, fromUrl, guarded, hex, post, signed, signedIn, tell, toBase64, toUrl } from "/pages/signing.js";

// What this browser read from the authenticator itself, so that the server cannot put another key in its place.
const READ_HERE = "signoff-key-id-read-here";
let known = null;

function cell(words, isFigure = false) {
  const made = document.createElement("td");
  made.textContent = words;
  made.className = isFigure ? "figure" : "";
  return made;
}

function row(credential) {
  const made = document.createElement("tr");
  const copies = credential.is_backed_up ? "kept by a provider" : "none";
  const last = document.createElement("td");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.textContent = "Withdraw";
  button.setAttribute("aria-label", `Withdraw ${credential.label}`);
  button.addEventListener("click", guarded(() => withdraw(credential)));
  last.append(button);
  made.append(
    cell(credential.label), cell(credential.key_id.slice(0, 16) + "…", true), cell(credential.algorithm), cell(copies), last,
  );
  return made;
}

function show(found) {
  known = found;
  at("rows").replaceChildren(...found.credentials.map(row));
  at("none").hidden = found.credentials.length > 0;
  const waiting = found.waiting;
  at("waiting").hidden = !waiting;
  if (!waiting) sessionStorage.removeItem(READ_HERE);
  if (waiting) {
    const readHere = sessionStorage.getItem(READ_HERE);
    const id = readHere ?? waiting.key_id;
    at("key-id-from").textContent = readHere ? "Key id, as this browser read it" : "Key id, as the server keeps it";
    at("waits").textContent = `“${waiting.label}”, ${waiting.algorithm}, for ${waiting.origin}.`;
    at("key-id").textContent = id;
    at("command").textContent = `signoff credential vouch ${id.slice(0, 16)} --server ${location.origin}`;
    at("vouch").hidden = found.credentials.length === 0;
    if (readHere && readHere !== waiting.key_id) {
      tell("The server keeps another key than your authenticator made. Do not vouch for it; tell the operators.");
    }
  }
}

// The key stands at the end of what the authenticator said, unless extensions follow.
async function keyIdOf(data) {
  if (data[32] & 0x80) return null;
  const length = (data[53] << 8) | data[54];
  return hex(await digest(data.slice(55 + length)));
}

async function add() {
  const asked = await ask("/credentials/options", {});
  const made = await navigator.credentials.create({
    publicKey: {
      challenge: fromBase64(asked.challenge),
      rp: asked.rp,
      user: { id: await digest(new TextEncoder().encode(asked.user)), name: asked.user, displayName: asked.user },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
      excludeCredentials: asked.exclude.map((id) => ({ type: "public-key", id: fromUrl(id) })),
      authenticatorSelection: { userVerification: "required", residentKey: "discouraged" },
      attestation: "none",
      timeout: 120000,
    },
  });
  const keyId = await keyIdOf(new Uint8Array(made.response.getAuthenticatorData()));
  if (keyId) sessionStorage.setItem(READ_HERE, keyId);
  const found = await ask("/credentials", {
    label: at("label").value.trim(),
    challenge: toUrl(fromBase64(asked.challenge)),
    attestation_object: toBase64(made.response.attestationObject),
    client_data: toBase64(made.response.clientDataJSON),
  });
  at("label").value = "";
  tell(found.waiting ? "Made. It waits for your word." : "Enrolled: it counts from now on.", true);
  show(found);
}

async function vouch() {
  const envelope = await signed(fromBase64(known.waiting.statement), known.credentials);
  const found = await ask("/credentials/vouchers", { envelope });
  tell("Enrolled: it counts from now on.", true);
  show(found);
}

async function handOver() {
  const lent = await post("/auth/hand-over", {});
  at("token").textContent = `export SIGNOFF_TOKEN=${lent.token}`;
  at("token").hidden = false;
}

async function withdraw(credential) {
  const reason = prompt(`Why does “${credential.label}” sign no more? It is kept.`);
  if (!reason) return;
  show(await ask(`/credentials/${credential.id}/withdraw`, { reason }));
  tell(`“${credential.label}” signs no more. What it signed stands.`, true);
}

async function begin() {
  const session = await signedIn("/credentials");
  if (!session) return;
  at("title").textContent = `Authenticators of ${session.name}`;
  at("held").hidden = false;
  at("add").hidden = false;
  show(await ask("/credentials"));
}

at("add").addEventListener("submit", guarded(add));
at("vouch").addEventListener("click", guarded(vouch));
at("hand-over").addEventListener("click", guarded(handOver));
at("look").addEventListener("click", guarded(begin));
guarded(begin)();
