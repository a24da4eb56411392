// The same through OpenFeature's client for browsers, which fetches every flag at once; here it fetches for each line.
import { createInterface } from 'node:readline';
import { OpenFeature } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';

const [baseUrl, token, model] = process.argv.slice(2);
const headers = [['Authorization', `Bearer ${token}`]];
const key = (name) => `models.${model}.${name}`;
let number = 0;

// A provider of its own for each line: what a browser kept of an earlier answer is not what is asked for.
async function asked() {
  const domain = `line-${(number += 1)}`;
  const provider = new OFREPWebProvider({ baseUrl, headers, timeoutMs: 2000, cacheMode: 'disabled' });
  await OpenFeature.setProviderAndWait(domain, provider).catch(() => undefined);
  return OpenFeature.getClient(domain);
}

for await (const _line of createInterface({ input: process.stdin })) {
  const client = await asked();
  const enabled = client.getBooleanDetails(key('enabled'), false);
  console.log(JSON.stringify({
    enabled: enabled.value,
    reason: enabled.reason,
    error: enabled.errorCode ?? null,
    allocation_pct: client.getNumberValue(key('allocation_pct'), -1),
    shadow_mode: client.getBooleanValue(key('shadow_mode'), false),
    control: client.getObjectValue(key('control'), { state: 'unknown' }),
  }));
}
process.exit(0);
