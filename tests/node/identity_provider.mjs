// A real OpenID provider for tests: one client, every account exists, keys made at the start and on request.
import { generateKeyPairSync } from 'node:crypto';
import Provider from 'oidc-provider';

const [port, callback] = process.argv.slice(2);
const key = (kid) => ({ ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: 'signoff', client_secret: 'a-secret-of-the-tests', redirect_uris: [callback], require_auth_time: true }],
  cookies: { keys: ['for tests'] },
  features: { devInteractions: { enabled: true } },
  jwks: { keys: [key('first')] },
  pkce: { required: () => true },
  findAccount: async (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
