// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { generatePrivateKey } from '../../trust/index.ts';
import { serve, type RunningServer, type Service } from '../../wire/index.ts';
import { decodeIssuerDocument } from './issuer-document.ts';
import { DOCUMENT, PASSWORD, testKey, TOKEN } from './issuer.fixture.ts';
import { createIssuer, type IdentityIssuer } from './issuer.ts';

// A real client, over HTTP; the person is played with fetch.
let issuer: IdentityIssuer;
let server: RunningServer;
let url: URL;
before(async () => {
  // The URL is known once there is a port, and the issuer once there is a URL.
  const late: Service = {
    answer: (call) => issuer.service.answer(call),
    fault: (error) => issuer.service.fault(error),
  };
  server = await serve({ service: late, host: '127.0.0.1', port: 0 });
  url = new URL(`http://127.0.0.1:${server.address.port}`);
  const document = await decodeIssuerDocument(DOCUMENT, 'issuer.yaml');
  issuer = await createIssuer({
    url: url.origin,
    keys: [await testKey()],
    now: () => new Date(),
    document,
    deviceInterval: 1,
  });
});
after(() => server.close());

const insecure = { execute: [client.allowInsecureRequests] };

/** Opens a page and sends its form. */
async function fill(page: Response, fields: Readonly<Record<string, string>>): Promise<Response> {
  const text = await page.text();
  const cookie = page.headers.get('set-cookie')?.split(';', 1)[0] ?? '';
  const action = /action="([^"]*)"/.exec(text)?.[1]?.replaceAll('&amp;', '&') ?? '';
  const hidden = [...text.matchAll(/type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(
    ([, name = '', value = '']) => [name, value],
  );
  return fetch(new URL(action, url), {
    method: 'POST',
    headers: { cookie, origin: url.origin },
    body: new URLSearchParams([...hidden, ...Object.entries(fields)] as [string, string][]),
    redirect: 'manual',
  });
}

describe('openid-client', () => {
  test('discovers the issuer and logs a person in with a code, PKCE, state and nonce', async () => {
    const config = await client.discovery(url, 'sigstore', undefined, client.None(), insecure);
    const verifier = client.randomPKCECodeVerifier();
    const [state, nonce] = [client.randomState(), client.randomNonce()];
    const target = client.buildAuthorizationUrl(config, {
      redirect_uri: 'http://localhost:41234/auth/callback',
      scope: 'openid email',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    });
    const sent = await fill(await fetch(target), { username: 'alice', password: PASSWORD, decision: 'allow' });
    assert.equal(sent.status, 303);
    const back = new URL(sent.headers.get('location') ?? '');
    const tokens = await client.authorizationCodeGrant(config, back, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    });
    const claims = tokens.claims();
    assert.deepEqual(
      [claims?.iss, claims?.aud, claims?.sub, claims?.['email'], claims?.['email_verified']],
      [url.origin, 'sigstore', 'alice@example.com', 'alice@example.com', true],
    );
    await assert.rejects(
      client.authorizationCodeGrant(config, back, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
      }),
      {
        error: 'invalid_grant',
      },
    );
  });

  test('logs a confidential client in, whose tokens are for Sigstore as well', async () => {
    const authentication = client.ClientSecretBasic('the secret');
    const config = await client.discovery(url, 'console', undefined, authentication, insecure);
    const verifier = client.randomPKCECodeVerifier();
    const target = client.buildAuthorizationUrl(config, {
      redirect_uri: 'https://console.example/callback',
      scope: 'openid',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    const sent = await fill(await fetch(target), { username: 'bob', password: PASSWORD });
    const back = new URL(sent.headers.get('location') ?? '');
    const tokens = await client.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier });
    assert.deepEqual(tokens.claims()?.aud, ['sigstore', 'console']);
  });

  test('waits with a device until the person approved', async () => {
    const config = await client.discovery(url, 'sigstore', undefined, client.None(), insecure);
    const device = await client.initiateDeviceAuthorization(config, { scope: 'openid email' });
    const polled = client.pollDeviceAuthorizationGrant(config, device);
    const question = await fill(await fetch(device.verification_uri_complete ?? ''), {
      user_code: device.user_code,
      username: 'alice',
      password: PASSWORD,
    });
    assert.equal((await fill(question, { decision: 'approve' })).status, 200);
    assert.equal((await polled).claims()?.sub, 'alice@example.com');
  });

  test('gets a token for a workload, that verifies by the published keys', async () => {
    const config = await client.discovery(url, 'nightly', undefined, client.ClientSecretPost(TOKEN), insecure);
    const tokens = await client.clientCredentialsGrant(config, { scope: 'openid email' });
    const keys = createRemoteJWKSet(new URL('/oidc/keys', url));
    const { payload } = await jwtVerify(tokens.id_token ?? '', keys, { issuer: url.origin, audience: 'sigstore' });
    assert.equal(payload.sub, 'https://ci.example/nightly');
    assert.equal(tokens.access_token, tokens.id_token);
  });

  test('verifies by the published keys across a rotation, old tokens and new ones', async () => {
    const old = await issuer.mint({ subject: 'dev@example.com' });
    await issuer.replaceKeys([await generatePrivateKey('ecdsa-p256'), (await testKey()).publicKey]);
    const keys = createRemoteJWKSet(new URL('/oidc/keys', url));
    const fresh = await issuer.mint({ subject: 'dev@example.com' });
    const algorithms = [];
    for (const token of [old, fresh]) {
      const { protectedHeader } = await jwtVerify(token, keys, { issuer: url.origin, audience: 'sigstore' });
      algorithms.push(protectedHeader.alg);
    }
    assert.deepEqual(algorithms, ['RS256', 'ES256']);
    await issuer.replaceKeys([await testKey()]);
    await assert.rejects(jwtVerify(fresh, createRemoteJWKSet(new URL('/oidc/keys', url))), {
      code: 'ERR_JWKS_NO_MATCHING_KEY',
    });
  });
});
