// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  certificateKey,
  decodeCertificates,
  encodeCertificates,
  generatePrivateKey,
  type PublicKey,
} from '../../trust/index.ts';
import { CodedError, WireError } from '../../wire/index.ts';
import { FULCIO, openSigstoreDouble, type SigstoreDouble } from '../sigstore-double.fixture.ts';
import { failureWithout } from '../token/test-issuer.fixture.ts';
import { jsonBody, tokenServer, type TokenAnswer } from '../token/token-transport.fixture.ts';
import { openKeylessSigner, type KeylessSigner } from './keyless-signer.ts';
import { requestCertificate, type CertificateAuthorityService, type CertificateChain } from './request-certificate.ts';

const HTTP = join(import.meta.dirname, '../../../test/golden/_http');
const recorded = (name: string): Uint8Array => readFileSync(join(HTTP, name));

describe('asking for a certificate', () => {
  let double: SigstoreDouble;
  before(async () => {
    double = await openSigstoreDouble();
  });

  const open = (authority: CertificateAuthorityService = { url: FULCIO }): Promise<KeylessSigner> =>
    openKeylessSigner({ authority, token: double.token, http: double.server.client });

  /** Asks somebody who answers this, for a key. */
  const ask = async (answer: TokenAnswer | (() => TokenAnswer), publicKey?: PublicKey): Promise<CertificateChain> => {
    const server = tokenServer(() => (typeof answer === 'function' ? answer() : answer));
    const key = publicKey ?? (await generatePrivateKey('ecdsa-p256')).publicKey;
    const order = { token: double.token, publicKey: key, proof: Buffer.from('proof') };
    return requestCertificate({ url: FULCIO }, order, server.client);
  };

  it('speaks the second version, and the first where a server knows no other', async () => {
    double.server.asked.length = 0;
    await open();
    await open({ url: `${FULCIO}/`, protocol: 'v1' });
    double.meddle(({ url }) => (url.pathname.endsWith('/v2/signingCert') ? { status: 404, body: '' } : undefined));
    assert.equal((await open()).certificate.length, 3);
    await assert.rejects(open({ url: FULCIO, protocol: 'v2' }), { code: 'service-refused' });
    double.meddle(() => undefined);
    const versions = double.server.lines().map((line) => /v[12]/.exec(line)?.[0]);
    assert.deepEqual(versions, ['v2', 'v1', 'v2', 'v1', 'v2']);
    const v1 = jsonBody(double.server.asked[1] ?? assert.fail()) as object;
    assert.deepEqual(Object.keys(v1), ['publicKey', 'signedEmailAddress', 'certificateSigningRequest']);
  });

  for (const [name, status] of [
    ['POST-fulcio_api_v1_signingCert.resp', 201],
    ['POST-fulcio_api_v2_signingCert.resp', 200],
  ] as const) {
    it(`reads what a real authority answered (${name}), if it is for our key`, async () => {
      const body = recorded(name);
      const pem =
        /-----BEGIN[^]*?END CERTIFICATE-----(?:\\n|\n)/.exec(body.toString())?.[0].replaceAll('\\n', '\n') ?? '';
      const [leaf] = decodeCertificates(Buffer.from(pem), name);
      const order = { token: double.token, publicKey: certificateKey(leaf, name), proof: Buffer.from('proof') };
      const protocol = name.includes('v1') ? 'v1' : 'v2';
      const server = tokenServer(() => ({ status, body }));
      const chain = await requestCertificate({ url: FULCIO, protocol }, order, server.client);
      assert.equal(chain.length, 3);
      const { publicKey } = await generatePrivateKey('ecdsa-p256');
      await assert.rejects(requestCertificate({ url: FULCIO, protocol }, { ...order, publicKey }, server.client), {
        code: 'answer-mismatch',
        message:
          /^the certificate authority https:\/\/fulcio\.example\/prefix\/api\/v[12]\/signingCert answers a certificate of another key/,
      });
    });
  }

  it('tells a refusal from a failure, in the words of the server', async () => {
    const said = { code: 3, message: 'There was an error processing the identity token', details: [] };
    for (const status of [400, 401, 403, 409, 422])
      await assert.rejects(ask({ status, body: said }), {
        code: 'service-refused',
        message: `the certificate authority ${FULCIO}/api/v2/signingCert answers ${status}: There was an error processing the identity token`,
      });
    for (const status of [408, 429, 500, 502, 503]) {
      const server = tokenServer(() => ({ status, body: said }));
      const order = {
        token: double.token,
        publicKey: (await generatePrivateKey('ecdsa-p256')).publicKey,
        proof: Buffer.of(1),
      };
      await assert.rejects(requestCertificate({ url: FULCIO }, order, server.client), { code: 'service-unavailable' });
      assert.equal(server.asked.length, 5, 'it is tried again');
    }
  });

  it('tries again where the connection broke, and is content with the second answer', async () => {
    let tries = 0;
    double.meddle(() => {
      if (++tries === 1) throw new WireError('connection-reset', 'gone');
      return undefined;
    });
    assert.equal((await open()).certificate.length, 3);
    double.meddle(() => undefined);
    assert.equal(tries, 2);
  });

  it('follows no redirect: the token is for the one who was named', async () => {
    for (const status of [301, 302, 307, 308]) {
      const server = tokenServer(() => ({ status, headers: { location: 'https://elsewhere.example/' }, body: '' }));
      const order = {
        token: double.token,
        publicKey: (await generatePrivateKey('ecdsa-p256')).publicKey,
        proof: Buffer.of(1),
      };
      await assert.rejects(requestCertificate({ url: FULCIO }, order, server.client), { code: 'redirect-refused' });
      assert.deepEqual(server.lines(), [`POST ${FULCIO}/api/v2/signingCert`]);
    }
  });

  it('refuses an answer that is none', async () => {
    const chain = (certificates: unknown): TokenAnswer => ({
      body: { signedCertificateEmbeddedSct: { chain: { certificates } } },
    });
    for (const answer of [
      { body: '' },
      { body: '<html>' },
      { body: '[]' },
      { body: {} },
      { body: { signedCertificateEmbeddedSct: null } },
      { body: '['.repeat(5000) },
      chain([]),
      chain([7]),
      chain(['no certificate']),
      chain(Array.from({ length: 11 }, () => 'x')),
      chain(['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']),
    ])
      await assert.rejects(ask(answer), { code: 'answer-malformed' });
    await assert.rejects(ask({ body: Buffer.alloc(2 * 1024 * 1024, 'x') }), { code: 'too-large' });
  });

  it('throws nothing but coded errors, whatever is answered', async () => {
    const chain = encodeCertificates([(await open()).leaf]);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string(), fc.json(), fc.constant(chain)),
        fc.integer({ min: 200, max: 599 }),
        async (body, status) => {
          if (status >= 300 && status < 400) return;
          await assert.rejects(ask({ status, body }), CodedError);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('refuses an address that is none, or has a password', async () => {
    for (const url of ['', 'fulcio.example', 'ftp://fulcio.example', 'https://'])
      await assert.rejects(open({ url }), { code: 'setting-malformed' });
    await failureWithout(['hunter2'], () => open({ url: 'https://me:hunter2@fulcio.example' }));
  });

  it('is refused without the proof that one has the key', async () => {
    const { publicKey } = await generatePrivateKey('ecdsa-p256');
    const order = { token: double.token, publicKey, proof: Buffer.from('no signature') };
    await assert.rejects(requestCertificate({ url: FULCIO }, order, double.server.client), {
      code: 'service-refused',
      message: /The signature supplied in the request could not be verified/,
    });
  });

  it('shows no control characters, and no page, of what a server says', async () => {
    const said = `\u001B[2J${'x'.repeat(1000)}`;
    await assert.rejects(ask({ status: 400, body: { message: said } }), (error: Error) => {
      assert.doesNotMatch(error.message, /\u001B/);
      assert.ok(error.message.length < 500);
      return true;
    });
    const page = { status: 400, headers: { 'content-type': 'text/html' }, body: '<html><body>Bad</body></html>' };
    await assert.rejects(ask(page), { message: `the certificate authority ${FULCIO}/api/v2/signingCert answers 400` });
  });
});
