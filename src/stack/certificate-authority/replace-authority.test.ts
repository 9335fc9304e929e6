// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeCertificates, generatePrivateKey, keySigner, verifyChain, verifyScts } from '../../trust/index.ts';
import {
  ask,
  callOf,
  certificatesOf,
  keyBody,
  newAuthority,
  newClientKey,
  openTestAuthority,
  rulesOf,
  v2Call,
} from './certificate-authority.fixture.ts';
import { AuthorityError } from './error.ts';
import { openMemoryLog } from '../log/memory-log.fixture.ts';

const PERSON = 'dev@example.com';
type Asked = Awaited<ReturnType<typeof ask>>;

function chainsOf(reply: Asked): number {
  return (JSON.parse(reply.text) as { chains: unknown[] }).chains.length;
}

describe('an authority that is replaced while it runs', () => {
  test('issues by the new key from the next request on, and keeps the old chain in the trust bundle', async () => {
    await using ca = await openTestAuthority();
    const next = await newAuthority('ecdsa-p384');
    const token = await ca.issuer.personToken();
    const before = keyBody(await newClientKey(PERSON));
    const first = await ask(ca.service, v2Call(token, before));
    await ca.authority.replace({ authority: next });
    const second = await ask(ca.service, v2Call(token, keyBody(await newClientKey(PERSON))));
    const [leaf] = decodeCertificates(Buffer.from(certificatesOf(second.text)[0] ?? ''), 'leaf');
    assert.equal(verifyChain(leaf, [{ chain: next.chain }], [new Date()], 'code-signing').kind, 'accepted');
    assert.equal(chainsOf(await ask(ca.service, callOf('GET', '/api/v2/trustBundle'))), 2);
    const root = await ask(ca.service, callOf('GET', '/api/v1/rootCert'));
    assert.ok(Buffer.from(decodeCertificates(Buffer.from(root.text), 'x')[0].der).equals(next.chain[0].der));
    // a request that is sent again gets what it got, with the chain that it belongs to
    assert.equal((await ask(ca.service, v2Call(token, before))).text, first.text);
  });

  test('may have another log, and another log key', async () => {
    await using ca = await openTestAuthority();
    const signer = keySigner(await generatePrivateKey('ecdsa-p256'));
    const log = await openMemoryLog();
    await ca.authority.replace({ certificateLog: { signer, log } });
    const reply = await ask(ca.service, v2Call(await ca.issuer.personToken(), keyBody(await newClientKey(PERSON))));
    const [leaf] = decodeCertificates(Buffer.from(certificatesOf(reply.text)[0] ?? ''), 'leaf');
    const [issuer] = ca.issuance.authority.chain;
    assert.equal(verifyScts(leaf, issuer, [{ publicKey: signer.publicKey }]).kind, 'accepted');
    assert.deepEqual([ca.log.tree().size, log.tree().size], [0, 1]);
  });

  test('keeps chains that issued before it started, for as long as they are valid', async () => {
    let now = new Date();
    const old = await newAuthority();
    const young = await newAuthority('ecdsa-p256', new Date(now.getTime() + 3600_000 * 24 * 3650));
    await using ca = await openTestAuthority({ retired: [old.chain], now: () => now });
    const bundle = (): Promise<Asked> => ask(ca.service, callOf('GET', '/api/v2/trustBundle'));
    assert.equal(chainsOf(await bundle()), 2);
    now = new Date(now.getTime() + 3600_000 * 24 * 3660);
    await ca.authority.replace({ authority: young });
    assert.equal(chainsOf(await bundle()), 1);
  });
});

describe('an authority does not start, and is not replaced by one', () => {
  test('whose key is not its certificate’s', async () => {
    await using ca = await openTestAuthority();
    const [good, other] = [await newAuthority(), await newAuthority()];
    const mixed = { signer: other.signer, chain: good.chain };
    const isMalformed = (error: unknown): boolean =>
      error instanceof AuthorityError && error.code === 'authority-malformed';
    await assert.rejects(ca.authority.replace({ authority: mixed }), isMalformed);
    await assert.rejects(ca.reopen({ authority: mixed }), isMalformed);
    const reply = await ask(ca.service, v2Call(await ca.issuer.personToken(), keyBody(await newClientKey(PERSON))));
    assert.equal(reply.status, 200, reply.text);
  });

  test('that has expired, or will within ten minutes', async () => {
    let now = new Date();
    await using ca = await openTestAuthority({ now: () => now });
    const old = await newAuthority();
    const end = old.chain[0].notAfter.getTime();
    for (const left of [300_000, -1000]) {
      now = new Date(end - left);
      await assert.rejects(ca.authority.replace({ authority: old }), /not valid now, or not for ten minutes more/);
    }
  });

  test('with a log key of a kind that logs do not have', async () => {
    await using ca = await openTestAuthority();
    const signer = keySigner(await generatePrivateKey('ed25519'));
    await assert.rejects(ca.authority.replace({ certificateLog: { signer, log: ca.log } }), /log key of type ed25519/);
  });

  test('with a rule about an issuer that is not configured', async () => {
    await using ca = await openTestAuthority();
    const rules = await rulesOf('rules: [{ name: typo, issuer: https://issuer.exmaple, everyone: true }]');
    await assert.rejects(ca.reopen({ rules }), (error) => {
      assert.ok(error instanceof AuthorityError && error.code === 'rules-malformed');
      assert.match(
        error.message,
        /rule 'typo' is about the issuer 'https:\/\/issuer\.exmaple', expected one that is configured/,
      );
      return true;
    });
  });
});

describe('an issuer admits nobody until a rule names it', () => {
  test('not even the own one', async () => {
    await using ca = await openTestAuthority({ rules: [] });
    const reply = await ask(ca.service, v2Call(await ca.issuer.personToken(), keyBody(await newClientKey(PERSON))));
    assert.equal(reply.status, 403);
    assert.deepEqual(JSON.parse(reply.text), {
      code: 7,
      message: `no rule names the issuer '${ca.issuer.url}': its tokens admit nobody`,
      details: [],
    });
    assert.equal(ca.log.tree().size, 0);
  });

  test('and then those alone whose claims it names: the production pipeline, and no other', async () => {
    await using ca = await openTestAuthority();
    const rules = await rulesOf(
      `rules: [{ name: production, issuer: ${ca.issuer.url}, claims: { repository: example/app, environment: production } }]`,
    );
    const { service, authority } = await ca.reopen({ rules });
    const sub = 'https://ci.example.com/app';
    const body = keyBody(await newClientKey(sub));
    const unknown = await ask(
      service,
      v2Call(await ca.issuer.token({ sub, repository: 'example/app', environment: 'dev' }), body),
    );
    assert.equal(unknown.status, 403);
    assert.match(
      unknown.text,
      /rule 'production' does not admit this token: its 'environment' is 'dev', expected 'production'/,
    );
    const known = await ask(
      service,
      v2Call(await ca.issuer.token({ sub, repository: 'example/app', environment: 'production' }), body),
    );
    assert.equal(known.status, 200, known.text);
    assert.deepEqual(authority.describeRules(), [
      `production: whoever has repository 'example/app' and environment 'production', by a token of ${ca.issuer.url}`,
    ]);
  });
});

test('an authority that has ended starts, issues nothing and says why, and goes on with another', async () => {
  await using ca = await openTestAuthority();
  const end = ca.issuance.authority.chain[0].notAfter.getTime();
  let now = new Date(end - 601_000);
  const { authority, service } = await ca.reopen({ now: () => now });
  const asked = async (): ReturnType<typeof ask> =>
    ask(service, v2Call(await ca.issuer.personToken(PERSON, now), keyBody(await newClientKey(PERSON))));
  assert.equal((await asked()).status, 200);
  now = new Date(end - 599_000);
  const { size } = ca.log.tree();
  const refused = await asked();
  assert.equal(refused.status, 503, refused.text);
  assert.match(refused.text, /its own certificate is valid from .* \('bulla keys rotate ca'\)/);
  assert.equal(ca.log.tree().size, size, 'nothing is logged');
  const log = { signer: keySigner(await generatePrivateKey('ecdsa-p256')), log: await openMemoryLog() };
  await authority.replace({ certificateLog: log });
  now = new Date();
  assert.equal((await asked()).status, 200);
});
