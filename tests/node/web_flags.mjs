// The same through OpenFeature's client for browsers, which fetches every flag at once and keeps what it fetched.
// A line is JSON: the evaluation context, `cacheMode` for a new provider, and `session` to name the provider to go on
// with. Without a session the line has a provider of its own. An empty line reads again as the one before.
import { createInterface } from 'node:readline';
import { OpenFeature } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';

const [baseUrl, token, model] = process.argv.slice(2);
const headers = [['Authorization', `Bearer ${token}`]];
const key = (name) => `models.${model}.${name}`;
const stored = new Map();
globalThis.localStorage = {
  getItem: (name) => stored.get(name) ?? null,
  setItem: (name, value) => stored.set(name, value),
  removeItem: (name) => stored.delete(name),
};

// Requests on their way, so that a reading can wait until the answers are in.
const asked = new Set();
const fetchImplementation = (...request) => {
  const answer = fetch(...request);
  asked.add(answer);
  answer.catch(() => undefined).finally(() => asked.delete(answer));
  return answer;
};
async function settled() {
  do {
    await Promise.allSettled([...asked]);
    await new Promise((resolve) => setTimeout(resolve, 50));
  } while (asked.size > 0);
}

function read(domain) {
  const client = OpenFeature.getClient(domain);
  const enabled = client.getBooleanDetails(key('enabled'), false);
  return {
    enabled: enabled.value,
    reason: enabled.reason,
    error: enabled.errorCode ?? null,
    details: enabled.errorMessage ?? null,
    allocation_pct: client.getNumberValue(key('allocation_pct'), -1),
    shadow_mode: client.getBooleanValue(key('shadow_mode'), false),
    control: client.getObjectValue(key('control'), { state: 'unknown' }),
  };
}

const open = new Set();
let number = 0;
let said = {};
for await (const line of createInterface({ input: process.stdin })) {
  said = line ? JSON.parse(line) : said;
  const domain = said.session ?? `line-${(number += 1)}`;
  if (open.has(domain)) {
    await OpenFeature.setContext(domain, said.context ?? {});
  } else {
    open.add(domain);
    const provider = new OFREPWebProvider({
      baseUrl, headers, timeoutMs: 2000, cacheMode: said.cacheMode ?? 'disabled', fetchImplementation,
      cacheKeyGenerator: said.shared ? ({ targetingKey }) => targetingKey ?? '' : undefined,
    });
    await OpenFeature.setContext(domain, said.context ?? {});
    await OpenFeature.setProviderAndWait(domain, provider).catch(() => undefined);
  }
  const first = read(domain);
  await settled();
  console.log(JSON.stringify({ ...read(domain), first }));
}
process.exit(0);
