// Reads the four flags of a model through OpenFeature's own client, once for each line on standard input.
// A line is the evaluation context as JSON; an empty line keeps the one before.
import { createInterface } from 'node:readline';
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';

const [baseUrl, token, model] = process.argv.slice(2);
const provider = new OFREPProvider({ baseUrl, headers: [['Authorization', `Bearer ${token}`]], timeoutMs: 2000 });
await OpenFeature.setProviderAndWait(provider);
const client = OpenFeature.getClient();
const key = (name) => `models.${model}.${name}`;
let context = {};

for await (const line of createInterface({ input: process.stdin })) {
  context = line ? JSON.parse(line) : context;
  const enabled = await client.getBooleanDetails(key('enabled'), false, context);
  console.log(JSON.stringify({
    enabled: enabled.value,
    reason: enabled.reason,
    error: enabled.errorCode ?? null,
    details: enabled.errorMessage ?? null,
    allocation_pct: await client.getNumberValue(key('allocation_pct'), -1, context),
    shadow_mode: await client.getBooleanValue(key('shadow_mode'), false, context),
    control: await client.getObjectValue(key('control'), { state: 'unknown' }, context),
  }));
}
process.exit(0);
