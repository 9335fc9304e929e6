// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodePublicKey } from '../../trust/index.ts';
import { ISSUER, newTestSigstore, SUBJECT } from '../../trust/keyless-seal.fixture.ts';
import { loadPolicies, type PolicySet } from '../index.ts';
import { newSigner, policyOf } from '../scene.fixture.ts';

const { trustedRoot: fallback } = await newTestSigstore();
const { publicKey } = await newSigner();
const other = (await newSigner()).publicKey;
const key = { data: encodePublicKey(publicKey) };
const identity = { issuer: ISSUER, subject: SUBJECT };

async function load(spec: object): Promise<PolicySet> {
  const metadata = { name: 's' };
  const settings = { apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicySettings', metadata, spec };
  const text = policyOf([{ static: { action: 'pass' } }]) + JSON.stringify(settings);
  return loadPolicies([{ name: 'p.yaml', bytes: new TextEncoder().encode(text) }], { fallback });
}

describe('the hash of settings', () => {
  it('is another for whatever could change an answer', async () => {
    const signers: readonly object[] = [
      { key },
      { key: { data: encodePublicKey(other) } },
      { key: { data: encodePublicKey(publicKey) + encodePublicKey(other) } },
      { key, rfc3161timestamp: {} },
      { key, ctlog: {} },
      { keyless: { identities: [identity] } },
      { keyless: { identities: [identity, { ...identity, subject: 'other' }] } },
      { keyless: { identities: [{ ...identity, claims: { sourceRepositoryRef: 'refs/heads/main' } }] } },
      { keyless: { identities: [{ issuer: ISSUER, subjectRegExp: SUBJECT }] } },
      { keyless: { identities: [identity], insecureIgnoreSCT: true } },
      { keyless: { identities: [identity] }, rfc3161timestamp: {} },
    ];
    const since = '2026-01-01T00:00:00Z';
    const specs: readonly object[] = [
      {},
      { noMatchPolicy: 'warn' },
      { noMatchPolicy: 'allow' },
      { mirrors: [{ upstream: 'quay.io', mirror: 'registry.example.com' }] },
      { vsa: { maxAge: '1h' } },
      { revocations: [{ key }] },
      { revocations: [{ key, since }] },
      { revocations: [{ identity: { issuer: ISSUER } }] },
      { revocations: [{ identity: { issuerRegExp: ISSUER } }] },
      { revocations: [{ identity: { subject: ISSUER } }] },
      { exceptions: { signers: [{ key }], maxLifetime: '1h' } },
      { gates: [{ key }], vsa: { demand: true } },
      ...signers.flatMap((signer) => [{ gates: [signer] }, { exceptions: { signers: [signer] } }]),
    ];
    const hashes = new Map<string, string>();
    for (const spec of specs) {
      const { settingsHash } = await load(spec);
      const text = JSON.stringify(spec);
      assert.equal(hashes.get(settingsHash), undefined, text);
      hashes.set(settingsHash, text);
      assert.equal((await load(spec)).settingsHash, settingsHash);
    }
  });
});

describe('what is only warned of', () => {
  const strangers = Array.from({ length: 1000 }, (_, at) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `s${at}` },
  }));
  const exceptions = Array.from({ length: 300 }, (_, at) => ({
    apiVersion: 'policy.bulla/v1alpha1',
    kind: 'PolicyException',
    metadata: { name: `e${at}` },
    spec: { bundle: '{}' },
  }));
  const loading = async (documents: readonly object[]): Promise<PolicySet> => {
    const text = documents.map((document) => JSON.stringify(document)).join('\n---\n');
    return loadPolicies([{ name: 'p.yaml', bytes: new TextEncoder().encode(text) }], { fallback });
  };

  it('hides no error, however much of it there is', async () => {
    const policy = JSON.parse(policyOf([{ key }]).split('\n---\n')[0] ?? '') as { spec: object };
    const weaker = { ...policy, spec: { ...policy.spec, treshold: 2 } };
    assert.equal((await loading([...strangers, policy])).policies.length, 1);
    await assert.rejects(loading([...strangers, weaker]), { code: 'policy-malformed', message: /treshold/ });
    const revocations = [{ key: { secretRef: { name: 'gone' } } }];
    const settings = {
      apiVersion: 'policy.bulla/v1alpha1',
      kind: 'PolicySettings',
      metadata: { name: 's' },
      spec: { revocations },
    };
    await assert.rejects(loading([policy, ...exceptions, settings]), { code: 'policy-unresolved', message: /gone/ });
  });
});

describe('who signs summaries and exceptions', () => {
  it('is named by nothing that would not be asked of them', async () => {
    for (const signer of [
      { key: { ...key, hashAlgorithm: 'sha256' } },
      { key, threshold: 2 },
      { key, maxAge: '1h' },
      { key, signatureFormat: 'bundle' },
      { static: { action: 'pass' } },
    ])
      for (const spec of [{ gates: [signer] }, { exceptions: { signers: [signer] } }])
        await assert.rejects(load(spec), { code: 'policy-malformed' }, JSON.stringify(spec));
  });
});
