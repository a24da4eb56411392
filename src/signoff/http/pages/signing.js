// What both pages share: asking the server, and an authenticator's signature over a statement.
const PAYLOAD_TYPE = "application/vnd.in-toto+json";
const text = new TextEncoder();

export const at = (id) => document.getElementById(id);

export function tell(message, isDone = false) {
  const place = at("message");
  place.textContent = message;
  place.classList.toggle("done", isDone);
  place.hidden = !message;
  if (message) place.scrollIntoView({ block: "nearest" });
}

export const toBase64 = (bytes) => btoa(Array.from(new Uint8Array(bytes), (b) => String.fromCharCode(b)).join(""));
export const fromBase64 = (written) => Uint8Array.from(atob(written), (c) => c.charCodeAt(0));
export const toUrl = (bytes) => toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
export const fromUrl = (written) => fromBase64(written.replaceAll("-", "+").replaceAll("_", "/"));
export const digest = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
export const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

let session = null;

export async function signedIn(then) {
  const answer = await fetch("/auth/session");
  if (answer.ok) {
    session = await answer.json();
    return session;
  }
  const link = document.createElement("a");
  link.href = `/auth/sign-in?fresh=1&then=${encodeURIComponent(then)}`;
  link.textContent = "Sign in";
  tell("You are not signed in. ");
  at("message").append(link);
  return null;
}

async function answered(path, how) {
  const answer = await fetch(path, how);
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.detail);
  return said;
}

export const post = (path, body) =>
  answered(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: {
      "content-type": "application/json",
      "x-csrf-token": session.csrf,
      "idempotency-key": crypto.randomUUID(),
    },
  });

export const ask = (path, body) => (body === undefined ? answered(`/api/v1${path}`, {}) : post(`/api/v1${path}`, body));

// DSSE's encoding of a payload: what is really signed. Its digest is the challenge.
export async function challengeOf(payload) {
  const head = text.encode(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `);
  const whole = new Uint8Array(head.length + payload.length);
  whole.set(head);
  whole.set(payload, head.length);
  return digest(whole);
}

// The envelope over a payload. Its names stand in the order of canonical JSON, and nothing in it needs escaping.
export async function signed(payload, credentials) {
  const answer = await navigator.credentials.get({
    publicKey: {
      challenge: await challengeOf(payload),
      rpId: credentials[0].rp_id,
      allowCredentials: credentials.map((c) => ({ type: "public-key", id: fromUrl(c.id) })),
      userVerification: "required",
      timeout: 120000,
    },
  });
  const used = credentials.find((c) => c.id === toUrl(answer.rawId));
  return JSON.stringify({
    payload: toBase64(payload),
    payloadType: PAYLOAD_TYPE,
    signatures: [
      {
        authenticatorData: toBase64(answer.response.authenticatorData),
        clientDataJSON: toBase64(answer.response.clientDataJSON),
        credential: used.id,
        keyid: used.key_id,
        sig: toBase64(answer.response.signature),
      },
    ],
  });
}

// A refusal that a new sign-in answers comes with the link to it.
function offerSignIn(message) {
  tell(`${message} `);
  const link = document.createElement("a");
  link.href = `/auth/sign-in?fresh=1&then=${encodeURIComponent(location.pathname)}`;
  link.textContent = "Sign in again";
  at("message").append(link);
}

export function guarded(act) {
  return async (event) => {
    event?.preventDefault();
    tell("");
    try {
      await act(event);
    } catch (error) {
      if (error.message.includes("sign-in of the last five minutes")) {
        offerSignIn(error.message);
        return;
      }
      const declined = error.name === "NotAllowedError";
      tell(declined ? "The authenticator was not touched, or did not know you. Nothing was signed." : error.message);
    }
  };
}
