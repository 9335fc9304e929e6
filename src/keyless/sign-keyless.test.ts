// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import {
  certificateIdentity,
  compileIdentity,
  decodeBundle,
  encodeBundle,
  encodeSignStatement,
  generatePrivateKey,
  keySigner,
  signBlobBundle,
  signBundle,
  verifyBundle,
  type Artifact,
  type KeyAlgorithm,
} from '../trust/index.ts';
import { expectedSeal, namedServices, openKeylessSigner, openWitnesses, type KeylessSigner } from './index.ts';
import {
  FULCIO,
  ISSUER,
  openSigstoreDouble,
  REKOR,
  REKOR2,
  SIGNED,
  SUBJECT,
  TSA,
  type SigstoreDouble,
} from './sigstore-double.fixture.ts';
import { failureWithout } from './token/test-issuer.fixture.ts';
import { jsonBody } from './token/token-transport.fixture.ts';

const HEX = 'ab'.repeat(32);
const IMAGE: Artifact = { kind: 'digest', algorithm: 'sha256', hex: HEX };
const statement = (): Uint8Array => encodeSignStatement({ algorithm: 'sha256', hex: HEX }, {});
const now = SIGNED;

async function open(double: SigstoreDouble, algorithm?: KeyAlgorithm): Promise<KeylessSigner> {
  return openKeylessSigner({
    authority: { url: FULCIO },
    token: double.token,
    http: double.server.client,
    ...(algorithm === undefined ? {} : { algorithm }),
  });
}

describe('signing without a key', () => {
  let shared: SigstoreDouble;
  before(async () => {
    shared = await openSigstoreDouble();
  });

  for (const { name, addresses } of [
    { name: 'a log of Rekor v1', addresses: { rekor: REKOR } },
    { name: 'a log of Rekor v1 and a timestamp', addresses: { rekor: REKOR, timestamp: TSA } },
    { name: 'a log of Rekor v2 and a timestamp', addresses: { rekor: REKOR2, rekorVersion: 2, timestamp: TSA } },
    { name: 'a timestamp alone', addresses: { timestamp: TSA } },
  ] as const) {
    it(`makes a seal that holds, with ${name}: of a statement and of a blob, after it was written and read`, async () => {
      const services = namedServices({ fulcio: FULCIO, ...addresses });
      const signer = await open(shared);
      const { client: http } = shared.server;
      const { trustedRoot } = shared;
      const witnesses = openWitnesses(services, { http });
      const expectation = await expectedSeal(signer, services, { trustedRoot, now });
      assert.ok(expectation.kind === 'identities');
      const { identities, evidence } = expectation;
      const sealed = decodeBundle(encodeBundle(await signBundle(statement(), signer, witnesses)), 'it');
      const check = await verifyBundle(sealed, IMAGE, { identities, ...evidence });
      assert.ok(check.kind === 'accepted' && check.signer.kind === 'identity', JSON.stringify(check));
      assert.equal(check.signer.identity.subject, SUBJECT);
      assert.equal(check.signer.identity.claims.issuer, ISSUER);
      const blob = new TextEncoder().encode('an artifact');
      const beside = decodeBundle(encodeBundle(await signBlobBundle(blob, signer, witnesses)), 'it');
      const other = await verifyBundle(beside, { kind: 'bytes', bytes: blob }, { identities, ...evidence });
      assert.equal(other.kind, 'accepted', JSON.stringify(other));
    });
  }

  it('asks the certificate authority once, then the clock, then the log', async () => {
    const double = await openSigstoreDouble();
    const services = namedServices({ fulcio: FULCIO, rekor: REKOR, timestamp: TSA });
    await signBundle(statement(), await open(double), openWitnesses(services, { http: double.server.client }));
    assert.deepEqual(double.server.lines(), [
      `POST ${FULCIO}/api/v2/signingCert`,
      `POST ${TSA}`,
      `POST ${REKOR}/api/v1/log/entries`,
    ]);
  });

  it('sends what cosign 3 sends, field by field', async () => {
    const double = await openSigstoreDouble();
    const services = namedServices({ fulcio: FULCIO, rekor: REKOR, timestamp: TSA });
    const signer = await open(double);
    await signBundle(statement(), signer, openWitnesses(services, { http: double.server.client }));
    const [fulcio, , rekor] = double.server.asked;
    assert.equal(fulcio?.headers['authorization'], `Bearer ${double.token.text}`);
    const { publicKeyRequest } = jsonBody(fulcio) as { publicKeyRequest: { publicKey: { algorithm: string } } };
    assert.deepEqual(Object.keys(jsonBody(fulcio) as object), ['publicKeyRequest']);
    assert.deepEqual(Object.keys(publicKeyRequest), ['publicKey', 'proofOfPossession']);
    assert.equal(publicKeyRequest.publicKey.algorithm, 'ECDSA');
    const entry = jsonBody(rekor ?? assert.fail()) as { spec: { proposedContent: { envelope: string } } };
    assert.deepEqual(Object.keys(entry), ['apiVersion', 'spec', 'kind']);
    const envelope = JSON.parse(entry.spec.proposedContent.envelope) as object;
    assert.deepEqual(Object.keys(envelope), ['payload', 'payloadType', 'signatures']);
  });

  for (const algorithm of ['ecdsa-p384', 'ecdsa-p521', 'ed25519', 'rsa-2048'] as const) {
    it(`signs with a new key of type ${algorithm} as logs of Rekor v2 verify it`, async () => {
      const services = namedServices({ fulcio: FULCIO, rekor: REKOR2, rekorVersion: 2, timestamp: TSA });
      const signer = await open(shared, algorithm);
      const witnesses = openWitnesses(services, { http: shared.server.client });
      const { trustedRoot } = shared;
      const expectation = await expectedSeal(signer, services, { trustedRoot, now });
      assert.ok(expectation.kind === 'identities');
      const bundle = await signBundle(statement(), signer, witnesses);
      const check = await verifyBundle(bundle, IMAGE, { identities: expectation.identities, ...expectation.evidence });
      assert.equal(check.kind, 'accepted', JSON.stringify(check));
    });
  }

  it('signs with a key of its owner that is certified', async () => {
    const key = await generatePrivateKey('ecdsa-p256');
    const signer = await openKeylessSigner({
      authority: { url: FULCIO },
      token: shared.token,
      http: shared.server.client,
      key,
    });
    assert.equal(signer.publicKey.hint, key.publicKey.hint);
    const identity = certificateIdentity(signer.leaf);
    assert.ok(identity.kind === 'accepted' && identity.identity.subject === SUBJECT);
  });

  it('signs with a key alone and enters the key into the log', async () => {
    const signer = keySigner(await generatePrivateKey('ecdsa-p256'));
    const services = namedServices({ rekor: REKOR });
    const { trustedRoot } = shared;
    const bundle = await signBundle(statement(), signer, openWitnesses(services, { http: shared.server.client }));
    const expectation = await expectedSeal(signer, services, { trustedRoot, now });
    assert.ok(expectation.kind === 'keys');
    const check = await verifyBundle(bundle, IMAGE, { keys: expectation.keys, ...expectation.evidence });
    assert.ok(check.kind === 'accepted' && check.evidence?.logEntries.length === 1, JSON.stringify(check));
  });

  it('expects of its own seal the identity that was certified, and all the evidence that was asked for', async () => {
    const services = namedServices({ fulcio: FULCIO, rekor: REKOR, timestamp: TSA });
    const signer = await open(shared);
    const { trustedRoot } = shared;
    const { client: http } = shared.server;
    const expectation = await expectedSeal(signer, services, { trustedRoot, now });
    assert.ok(expectation.kind === 'identities');
    const { identities, evidence } = expectation;
    const unstamped = await signBundle(statement(), signer, openWitnesses(namedServices({ rekor: REKOR }), { http }));
    const check = await verifyBundle(unstamped, IMAGE, { identities, ...evidence });
    assert.ok(check.kind === 'rejected' && check.rejection.code === 'timestamp-missing');
    const unlogged = await signBundle(statement(), signer, openWitnesses(namedServices({ timestamp: TSA }), { http }));
    const other = await verifyBundle(unlogged, IMAGE, { identities, ...evidence });
    assert.ok(other.kind === 'rejected' && other.rejection.code === 'log-missing');
    const stranger = await compileIdentity({ subject: { exact: 'x@y.example' }, issuer: { exact: ISSUER } });
    const third = await verifyBundle(unlogged, IMAGE, { identities: [stranger], ...evidence, ignoreLog: true });
    assert.ok(third.kind === 'rejected' && third.rejection.code === 'identity-subject-mismatch');
  });

  it('shows the token nowhere, even if the authority repeats it', async () => {
    const double = await openSigstoreDouble();
    const [, payload = ''] = double.token.text.split('.');
    double.meddle(({ headers }) => ({ status: 400, body: { message: `bad: ${headers['authorization']} ${payload}` } }));
    const error = await failureWithout([double.token.text, payload], () => open(double));
    assert.match(error.message, /answers 400: bad: Bearer \(hidden\) \(hidden\)$/);
  });
});
