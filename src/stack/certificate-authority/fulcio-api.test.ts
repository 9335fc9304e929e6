// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import {
  certificateIdentity,
  decodeCertificate,
  decodeCertificates,
  generatePrivateKey,
  leafHash,
  verifyChain,
  verifyInclusion,
  verifyScts,
  type Certificate,
} from '../../trust/index.ts';
import {
  ask,
  callOf,
  certificatesOf,
  keyBody,
  newClientKey,
  openTestAuthority,
  rulesOf,
  v2Call,
  type TestAuthority,
} from './certificate-authority.fixture.ts';
import { mintToken } from '../issuer/mint-token.ts';
import { tokenKey } from '../issuer/token-key.ts';
import { firstRules } from './rules/decode-rules.ts';

const PERSON = 'dev@example.com';
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The certificate of an answer, once trust's own verifier has accepted chain and timestamp. */
function accepted(pem: string, { issuance }: TestAuthority): Certificate {
  const [leaf] = decodeCertificates(Buffer.from(pem), 'the answer');
  const check = verifyChain(leaf, [{ chain: issuance.authority.chain }], [new Date()], 'code-signing');
  assert.equal(check.kind, 'accepted', JSON.stringify(check));
  const logs = [{ publicKey: issuance.certificateLog.signer.publicKey }];
  const scts = verifyScts(leaf, issuance.authority.chain[0], logs);
  assert.equal(scts.kind, 'accepted', JSON.stringify(scts));
  return leaf;
}

describe('version 2, as cosign 3 speaks it', () => {
  test('certifies a key whose holder shows a token in the header, and answers leaf, intermediate and root', async () => {
    await using ca = await openTestAuthority();
    const key = await newClientKey(PERSON);
    const reply = await ask(ca.service, v2Call(await ca.issuer.personToken(), keyBody(key)));
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.headers['content-type'], 'application/json');
    const certificates = certificatesOf(reply.text);
    assert.equal(certificates.length, 3);
    const leaf = accepted(certificates[0] ?? '', ca);
    assert.equal(hex(leaf.spki), hex(key.private.publicKey.spki));
    const identity = certificateIdentity(leaf);
    assert.ok(identity.kind === 'accepted');
    assert.deepEqual(identity.identity, {
      subject: PERSON,
      kind: 'email',
      claims: { issuer: ca.issuer.url, tokenSubject: PERSON },
    });
  });

  test('takes the token from the body before the one in the header', async () => {
    await using ca = await openTestAuthority();
    const key = await newClientKey('second@example.com');
    const body = {
      ...(keyBody(key) as object),
      credentials: { oidcIdentityToken: await ca.issuer.personToken('second@example.com') },
    };
    const reply = await ask(ca.service, v2Call(await ca.issuer.personToken('first@example.com'), body));
    assert.equal(reply.status, 200, reply.text);
    const identity = certificateIdentity(accepted(certificatesOf(reply.text)[0] ?? '', ca));
    assert.equal(identity.kind === 'accepted' && identity.identity.subject, 'second@example.com');
  });

  test('takes the names of fields in snake case, null for what is not there, and fields that nobody knows', async () => {
    await using ca = await openTestAuthority();
    const { pem, proof } = await newClientKey(PERSON);
    const body = {
      credentials: null,
      public_key_request: {
        public_key: { content: pem },
        proof_of_possession: proof.toString('base64url'),
        future: { field: 1 },
      },
      certificate_signing_request: null,
    };
    const reply = await ask(ca.service, v2Call(await ca.issuer.personToken(), body));
    assert.equal(reply.status, 200, reply.text);
  });

  test('answers the trust bundle and the configuration', async () => {
    await using ca = await openTestAuthority();
    const bundle = await ask(ca.service, callOf('GET', '/api/v2/trustBundle'));
    const { chains } = JSON.parse(bundle.text) as { chains: { certificates: string[] }[] };
    assert.equal(chains.length, 1);
    assert.deepEqual(
      chains[0]?.certificates.map((pem) => hex(decodeCertificates(Buffer.from(pem), 'bundle')[0].der)),
      ca.issuance.authority.chain.map(({ der }) => hex(der)),
    );
    const configuration = await ask(ca.service, callOf('GET', '/api/v2/configuration'));
    assert.deepEqual(JSON.parse(configuration.text), {
      issuers: [
        {
          issuerUrl: ca.issuer.url,
          audience: 'sigstore',
          challengeClaim: 'email',
          spiffeTrustDomain: '',
          issuerType: 'workload',
          subjectDomain: '',
          skipEmailVerification: false,
        },
      ],
    });
  });
});

describe('version 1, as cosign 2 speaks it', () => {
  test('certifies a key and answers a chain in PEM with the status 201', async () => {
    await using ca = await openTestAuthority();
    const { pem, proof } = await newClientKey(PERSON);
    const body = JSON.stringify({
      publicKey: { content: Buffer.from(pem).toString('base64') },
      signedEmailAddress: proof.toString('base64'),
      certificateSigningRequest: null,
    });
    const headers = { authorization: `Bearer ${await ca.issuer.personToken()}` };
    const reply = await ask(ca.service, callOf('POST', '/api/v1/signingCert', body, headers));
    assert.equal(reply.status, 201, reply.text);
    assert.equal(reply.headers['content-type'], 'application/pem-certificate-chain');
    assert.equal(reply.headers['sct'], undefined);
    const [leaf, ...chain] = decodeCertificates(Buffer.from(reply.text), 'the answer');
    assert.deepEqual(
      chain.map(({ der }) => hex(der)),
      ca.issuance.authority.chain.map(({ der }) => hex(der)),
    );
    accepted(reply.text.slice(0, reply.text.indexOf('-----END CERTIFICATE-----') + 26), ca);
    assert.equal(leaf.notAfter.getTime() - leaf.notBefore.getTime(), 600_000);
  });

  test('answers its own chain as root certificate', async () => {
    await using ca = await openTestAuthority();
    const reply = await ask(ca.service, callOf('GET', '/api/v1/rootCert'));
    assert.equal(reply.status, 200);
    const found = decodeCertificates(Buffer.from(reply.text), 'the answer').map(({ der }) => hex(der));
    assert.deepEqual(
      found,
      ca.issuance.authority.chain.map(({ der }) => hex(der)),
    );
  });
});

test("takes the tokens of the stack's own issuer, for people and for pipelines", async () => {
  await using ca = await openTestAuthority();
  const url = 'http://127.0.0.1:5000';
  const key = await generatePrivateKey('rsa-2048');
  const { jwk } = await tokenKey(key);
  const { service } = await ca.reopen({
    builtIn: { url, keys: () => ({ keys: [{ ...jwk, kty: 'RSA' }] }) },
    rules: await rulesOf(firstRules(url)),
  });
  for (const [subject, claims] of [
    [PERSON, {}],
    ['https://ci.example.com/app', { repository: 'example/app', ref: 'refs/heads/main' }],
  ] as const) {
    const token = await mintToken({ subject, claims }, { key, issuer: url, now: new Date() });
    const reply = await ask(service, v2Call(token, keyBody(await newClientKey(subject))));
    assert.equal(reply.status, 200, reply.text);
    const identity = certificateIdentity(accepted(certificatesOf(reply.text)[0] ?? '', ca));
    assert.ok(identity.kind === 'accepted');
    assert.equal(identity.identity.subject, subject);
    assert.equal(
      identity.identity.claims.githubWorkflowRepository,
      'repository' in claims ? claims.repository : undefined,
    );
  }
});

test('logs every certificate before it is answered, with the timestamp that stands in it', async () => {
  await using ca = await openTestAuthority();
  const key = await newClientKey(PERSON);
  const reply = await ask(ca.service, v2Call(await ca.issuer.personToken(), keyBody(key)));
  accepted(certificatesOf(reply.text)[0] ?? '', ca);
  const tree = ca.log.tree();
  assert.equal(tree.size, 1);
  const entry = await ca.log.entry(0);
  assert.ok(entry);
  assert.ok(verifyInclusion(leafHash(entry.leaf), 0, { size: tree.size, root: tree.rootHash }, entry.proof));
  // what is in the log is signed for by the timestamp in the certificate, which `accepted` has verified over the same octets
  const [leaf] = decodeCertificates(Buffer.from(certificatesOf(reply.text)[0] ?? ''), 'leaf');
  const scts = verifyScts(leaf, ca.issuance.authority.chain[0], [
    { publicKey: ca.issuance.certificateLog.signer.publicKey },
  ]);
  assert.ok(scts.kind === 'accepted');
  assert.equal(Number(Buffer.from(entry.leaf).readBigUInt64BE(2)), scts.scts[0].timestamp);
  // its precertificate is the certificate with the poison in place of the timestamps
  const extra = Buffer.from(entry.extra ?? []);
  const precertificate = decodeCertificate(extra.subarray(3, 3 + extra.readUIntBE(0, 3)), 'the precertificate');
  assert.equal(hex(precertificate.serialNumber), hex(leaf.serialNumber));
  assert.equal(precertificate.extensions.get('1.3.6.1.4.1.11129.2.4.3')?.critical, true);
});

test('lets programs in browsers ask, and answers them when it refuses as well', async () => {
  await using ca = await openTestAuthority();
  const preflight = await ask(
    ca.service,
    callOf('OPTIONS', '/api/v2/signingCert', '', { origin: 'https://app.example' }),
  );
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers['access-control-allow-origin'], '*');
  assert.equal(preflight.headers['access-control-allow-methods'], 'POST');
  const refused = await ask(ca.service, v2Call(undefined, {}));
  assert.equal(refused.headers['access-control-allow-origin'], '*');
});

describe('a request that is sent again', () => {
  test('gets the same certificate, while the first is under way, after, and after a restart', async () => {
    await using ca = await openTestAuthority();
    const body = keyBody(await newClientKey(PERSON));
    const token = await ca.issuer.personToken();
    const first = ask(ca.service, v2Call(token, body));
    const second = ask(ca.service, v2Call(token, body));
    const replies = [await first, await second, await ask(ca.service, v2Call(token, body))];
    const again = await ca.reopen();
    replies.push(await ask(again.service, v2Call(token, body)));
    assert.equal(replies[0]?.status, 200);
    assert.equal(new Set(replies.map(({ text }) => text)).size, 1);
    assert.equal(ca.log.tree().size, 1);
  });

  test('gets another certificate once the first is about to expire', async () => {
    let now = Date.now();
    await using ca = await openTestAuthority({ now: () => new Date(now) });
    const body = keyBody(await newClientKey(PERSON));
    const token = await ca.issuer.token({
      sub: PERSON,
      email: PERSON,
      email_verified: true,
      exp: Math.floor(now / 1000) + 3600,
    });
    const first = await ask(ca.service, v2Call(token, body));
    now += 8 * 60_000;
    assert.equal((await ask(ca.service, v2Call(token, body))).text, first.text);
    now += 90_000;
    const later = await ask(ca.service, v2Call(token, body));
    assert.equal(later.status, 200, later.text);
    assert.notEqual(later.text, first.text);
  });

  test('is another request with another key, or another proof', async () => {
    await using ca = await openTestAuthority();
    const token = await ca.issuer.personToken();
    const texts = new Set<string>();
    for (let round = 0; round < 3; round++)
      texts.add((await ask(ca.service, v2Call(token, keyBody(await newClientKey(PERSON))))).text);
    assert.equal(texts.size, 3);
    assert.equal(ca.log.tree().size, 3);
  });

  test('is refused all the same when its proof does not hold', async () => {
    await using ca = await openTestAuthority();
    const token = await ca.issuer.personToken();
    const key = await newClientKey(PERSON);
    await ask(ca.service, v2Call(token, keyBody(key)));
    const reply = await ask(ca.service, v2Call(token, keyBody({ ...key, proof: Buffer.from('no signature') })));
    assert.equal(reply.status, 400);
    assert.match(reply.text, /could not be verified/);
  });
});

describe('the record', () => {
  test('has every use of a token with its time, issuer, subject, rule, serial, key and client, and never the token', async () => {
    await using ca = await openTestAuthority();
    const key = await newClientKey(PERSON);
    const token = await ca.issuer.personToken();
    const reply = await ask(ca.service, v2Call(token, keyBody(key), { 'user-agent': 'cosign/v3.1.1' }));
    const [leaf] = decodeCertificates(Buffer.from(certificatesOf(reply.text)[0] ?? ''), 'leaf');
    const rows = await ca.database.all('SELECT * FROM certificate_token_uses');
    assert.equal(rows.length, 1);
    const { time, number, ...row } = rows[0] ?? {};
    assert.equal(number, 1);
    assert.ok(Math.abs(Number(time) - Date.now()) < 60_000);
    const sha256 = (bytes: Uint8Array | string): Uint8Array =>
      new Uint8Array(createHash('sha256').update(bytes).digest());
    assert.deepEqual(row, {
      issuer: ca.issuer.url,
      subject: PERSON,
      token: sha256(token.slice(0, token.lastIndexOf('.'))),
      outcome: 'issued',
      reason: 'built-in issuer',
      serial: new Uint8Array(leaf.serialNumber),
      key: sha256(key.private.publicKey.spki),
      name: PERSON,
      client: 'cosign/v3.1.1',
    });
    const everything = JSON.stringify(
      [rows, await ca.database.all('SELECT * FROM certificate_answers')],
      (_, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value),
    );
    assert.ok(!everything.includes(token.split('.')[2] ?? token));
  });

  test('has a refused use once, however often it comes', async () => {
    await using ca = await openTestAuthority();
    const token = await ca.issuer.personToken();
    const body = keyBody(await newClientKey('somebody-else@example.com'));
    for (let round = 0; round < 3; round++) assert.equal((await ask(ca.service, v2Call(token, body))).status, 400);
    const rows = await ca.database.all<{ outcome: string; reason: string }>(
      'SELECT outcome, reason FROM certificate_token_uses',
    );
    assert.equal(rows.length, 1);
    assert.equal(rows[0]?.outcome, 'refused');
    assert.equal(rows[0]?.reason, 'proof-refused');
  });

  test('comes before the answer: what cannot be recorded is not given out', async () => {
    await using ca = await openTestAuthority();
    await ca.database.write((tx) => tx.run('DROP TABLE certificate_answers'));
    const key = await newClientKey(PERSON);
    const reply = await ask(ca.service, v2Call(await ca.issuer.personToken(), keyBody(key)));
    assert.equal(reply.status, 500);
    assert.doesNotMatch(reply.text, /CERTIFICATE-|SQL|certificate_answers/);
  });
});

describe('a limit on certificates for one token', () => {
  test('is none unless it is set', async () => {
    await using ca = await openTestAuthority();
    const token = await ca.issuer.personToken();
    for (let round = 0; round < 4; round++) {
      const reply = await ask(ca.service, v2Call(token, keyBody(await newClientKey(PERSON))));
      assert.equal(reply.status, 200);
    }
  });

  test('is not passed by another spelling of the signature, nor by the other of two that ECDSA allows', async () => {
    await using ca = await openTestAuthority({ certificatesPerToken: 1 });
    const token = await ca.issuer.personToken();
    const [header, claims, signature = ''] = token.split('.');
    const bytes = Buffer.from(signature, 'base64url');
    const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
    const mirrored = (order - BigInt(`0x${bytes.toString('hex', 32)}`)).toString(16).padStart(64, '0');
    const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(mirrored, 'hex')]).toString('base64url');
    // of the last character of 64 bytes, four bits say nothing
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const respelled = signature.slice(0, -1) + alphabet[alphabet.indexOf(signature.slice(-1)) ^ 1];
    const statuses = [];
    for (const spelling of [signature, other, respelled]) {
      const body = keyBody(await newClientKey(PERSON));
      statuses.push((await ask(ca.service, v2Call(`${header}.${claims}.${spelling}`, body))).status);
    }
    assert.equal(statuses[0], 200);
    assert.deepEqual(statuses.slice(1), [403, 403]);
    assert.equal(ca.log.tree().size, 1);
  });

  test('holds, also for requests at the same time and after a restart, and not for one that is sent again', async () => {
    await using ca = await openTestAuthority({ certificatesPerToken: 2 });
    const token = await ca.issuer.personToken();
    const bodies = await Promise.all([1, 2, 3, 4].map(async () => keyBody(await newClientKey(PERSON))));
    const replies = await Promise.all(bodies.map((body) => ask(ca.service, v2Call(token, body))));
    assert.deepEqual(
      replies.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 200, 403, 403],
    );
    assert.match(
      replies.find(({ status }) => status === 403)?.text ?? '',
      /used already, and one gets 2 certificates at most/,
    );
    assert.equal(ca.log.tree().size, 2);
    const good = bodies[replies.findIndex(({ status }) => status === 200)];
    const again = await ca.reopen();
    assert.equal((await ask(again.service, v2Call(token, good))).status, 200);
    const more = keyBody(await newClientKey(PERSON));
    assert.equal((await ask(again.service, v2Call(token, more))).status, 403);
    assert.equal(
      (await ask(again.service, v2Call(await ca.issuer.personToken(PERSON, new Date(Date.now() + 1000)), more))).status,
      200,
    );
  });
});
