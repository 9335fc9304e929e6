// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { certificateKey, encodePublicKey } from '../trust/index.ts';
import { ISSUER, newTestSigstore, SIGNED, SUBJECT } from '../trust/keyless-seal.fixture.ts';
import { NAME, newSigner, policyOf, Scene } from './scene.fixture.ts';

const sigstore = await newTestSigstore();
const fallback = sigstore.trustedRoot;
const SIGN = 'https://sigstore.dev/cosign/sign/v1';
const VULN = 'https://cosign.sigstore.dev/attestation/vuln/v1';
const LOG = 'https://log.example:3000/rekor';
const IDENTITY = { issuer: ISSUER, subject: SUBJECT };
const SCAN = {
  invocation: { parameters: null, uri: '', event_id: '', 'builder.id': '' },
  scanner: { uri: 'https://scanner.example', version: '1', db: { uri: '', version: '' }, result: {} },
  metadata: { scanStartedOn: '2026-06-01T00:00:00Z', scanFinishedOn: '2026-06-01T00:01:00Z' },
};

type SealChange = NonNullable<Parameters<typeof sigstore.seal>[0]>;

async function sealed(how: SealChange = {}, predicateType = SIGN, predicate = {}): Promise<Scene> {
  const scene = await Scene.create();
  await scene.lay(await sigstore.seal({ payload: scene.statement(predicateType, predicate), ...how }));
  return scene;
}

function keyless(identities: readonly object[], more: object = {}, keylessMore: object = {}): string {
  return policyOf([{ keyless: { identities, ...keylessMore }, ...more }]);
}

async function code(scene: Scene, policy: string, change: Parameters<Scene['decide']>[1] = {}): Promise<string> {
  const { outcome, nearest } = await scene.decide(policy, { fallback, ...change });
  return nearest === undefined ? outcome : `${outcome} ${nearest.code}`;
}

describe('identities', () => {
  it('are matched in full, by each of their fields (CVE-2025-29778)', async () => {
    const scene = await sealed();
    const rows: readonly (readonly [identity: object, expected: string])[] = [
      [IDENTITY, 'trusted'],
      [{ issuer: ISSUER, subjectRegExp: '^https://ci\\.example/app/release@refs/tags/v[0-9]+$' }, 'trusted'],
      [{ issuerRegExp: '^https://issuer\\.', subject: SUBJECT }, 'trusted'],
      [{ ...IDENTITY, issuer: 'https://evil.example' }, 'refused identity-issuer-mismatch'],
      [{ ...IDENTITY, subject: `${SUBJECT}x` }, 'refused identity-subject-mismatch'],
      [{ issuer: ISSUER, subjectRegExp: '@refs/heads/' }, 'refused identity-subject-mismatch'],
      [{ issuerRegExp: '^https://evil', subject: SUBJECT }, 'refused identity-issuer-mismatch'],
      [{ ...IDENTITY, claims: { sourceRepositoryRef: 'refs/tags/v1' } }, 'trusted'],
      [{ ...IDENTITY, claimsRegExp: { sourceRepositoryRef: '^refs/tags/' } }, 'trusted'],
      [{ ...IDENTITY, claims: { sourceRepositoryRef: 'refs/heads/main' } }, 'refused identity-claim-mismatch'],
      [{ ...IDENTITY, claims: { runnerEnvironment: 'github-hosted' } }, 'refused identity-claim-mismatch'],
    ];
    for (const [identity, expected] of rows)
      assert.equal(await code(scene, keyless([identity])), expected, JSON.stringify(identity));
  });

  it('may be several, of which one is enough', async () => {
    const other = { issuer: ISSUER, subject: 'dev@example.com' };
    assert.equal(await code(await sealed(), keyless([other, IDENTITY])), 'trusted');
  });

  it('are not met by a key', async () => {
    const scene = await Scene.create();
    await scene.sign(await newSigner());
    const decision = await scene.decide(keyless([IDENTITY]), { fallback });
    assert.equal(decision.policies[0]?.code, 'key-seals-only');
  });

  it('stand beside keys, signatures beside attestations, in one policy', async () => {
    const scene = await sealed({}, VULN, SCAN);
    const signer = await newSigner();
    await scene.sign(signer, ['legacy']);
    const policy =
      policyOf([{ key: { data: encodePublicKey(signer.publicKey) } }]) +
      policyOf([{ keyless: { identities: [IDENTITY] }, attestations: [{ name: 'v', predicateType: VULN }] }], {}, 'q');
    assert.equal(await code(scene, policy), 'trusted');
  });
});

describe('whom one believes', () => {
  it('is the TrustRoot that is named, else the one that was given', async () => {
    const scene = await sealed();
    const stranger = (await newTestSigstore()).trustedRoot;
    const named = keyless([IDENTITY], {}, { trustRootRef: 'acme' });
    const roots = new Map([['acme', fallback]]);
    assert.equal(await code(scene, named, { roots, fallback: stranger }), 'trusted');
    assert.match(await code(scene, keyless([IDENTITY]), { fallback: stranger }), /^refused /);
    await assert.rejects(scene.decide(named, { fallback }), {
      code: 'policy-unresolved',
      message: /no TrustRoot 'acme'/,
    });
    await assert.rejects(scene.decide(keyless([IDENTITY])), {
      code: 'policy-unresolved',
      message: /names no TrustRoot/,
    });
  });

  it('may be written out in a TrustRoot, with authorities, logs and clocks', async () => {
    const scene = await sealed({ stamped: [SIGNED] });
    const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
    const pem = (label: string, der: Uint8Array): string =>
      `-----BEGIN ${label}-----\n${base64(der)}\n-----END ${label}-----\n`;
    const chain = (ders: readonly { readonly der: Uint8Array }[]): string =>
      base64(Buffer.from(ders.map(({ der }) => pem('CERTIFICATE', der)).join('')));
    const key = (spki: Uint8Array): string => base64(Buffer.from(pem('PUBLIC KEY', spki)));
    const subject = { organization: 'acme', commonName: 'acme' };
    const [v1] = fallback.logs;
    const spec = {
      sigstoreKeys: {
        certificateAuthorities: fallback.certificateAuthorities.map((one) => ({
          subject,
          uri: 'https://ca.example',
          certChain: chain(one.chain),
        })),
        tLogs: [{ baseURL: LOG, hashAlgorithm: 'sha-256', publicKey: key(v1?.publicKey.spki ?? new Uint8Array()) }],
        ctLogs: fallback.certificateLogs.map(({ publicKey }) => ({
          baseURL: 'https://ct.example',
          hashAlgorithm: 'sha-256',
          publicKey: key(publicKey.spki),
        })),
        timestampAuthorities: fallback.timestampAuthorities.map(({ leaf, issuer }) => ({
          subject,
          uri: 'https://tsa.example',
          certChain: chain([...(leaf === undefined ? [] : [leaf]), ...issuer.chain]),
        })),
      },
    };
    const root = JSON.stringify({
      apiVersion: 'policy.sigstore.dev/v1alpha1',
      kind: 'TrustRoot',
      metadata: { name: 'acme' },
      spec,
    });
    const logged = keyless([IDENTITY], {}, { trustRootRef: 'acme' });
    const stamped = keyless([IDENTITY], { rfc3161timestamp: { trustRootRef: 'acme' } }, { trustRootRef: 'acme' });
    const without = { fallback: undefined as never };
    assert.equal(await code(scene, logged + root, without), 'trusted');
    assert.equal(await code(scene, stamped + root, without), 'trusted');
  });

  it('is the log that ctlog.url names, which nobody dials (row 9, different on purpose)', async () => {
    const scene = await sealed();
    assert.equal(await code(scene, keyless([IDENTITY], { ctlog: { url: LOG } })), 'trusted');
    await assert.rejects(scene.decide(keyless([IDENTITY], { ctlog: { url: 'https://other.example' } }), { fallback }), {
      code: 'policy-unresolved',
      message: /lists no log at https:\/\/other\.example/,
    });
  });

  it('is a log where nothing is said (row 9), and none for a key', async () => {
    const scene = await sealed({ logs: [] });
    assert.equal(await code(scene, keyless([IDENTITY])), 'refused log-missing');
    const signer = await newSigner();
    await scene.sign(signer);
    const key = { data: encodePublicKey(signer.publicKey) };
    assert.equal(await code(scene, policyOf([{ key }])), 'trusted');
    assert.match(await code(scene, policyOf([{ key, ctlog: { url: LOG } }])), /^refused log-missing$/);
  });

  it('are clocks instead of logs with rfc3161timestamp (row 9)', async () => {
    const policy = keyless([IDENTITY], { rfc3161timestamp: { trustRootRef: 'acme' } });
    const roots = new Map([['acme', fallback]]);
    assert.equal(await code(await sealed({ logs: [], stamped: [SIGNED] }), policy, { roots }), 'trusted');
    assert.equal(await code(await sealed({}), policy, { roots }), 'refused timestamp-missing');
  });

  it('is a certificate log, unless insecureIgnoreSCT', async () => {
    const scene = await sealed({ withoutSct: true });
    assert.match(await code(scene, keyless([IDENTITY])), /^refused sct-/);
    assert.equal(await code(scene, keyless([IDENTITY], {}, { insecureIgnoreSCT: true })), 'trusted');
  });

  it('are the authorities of ca-cert, where they are given', async () => {
    const pemOf = (chain: readonly { readonly der: Uint8Array }[]): string =>
      chain
        .map(
          ({ der }) =>
            `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`,
        )
        .join('');
    const [own] = fallback.certificateAuthorities;
    const [strange] = (await newTestSigstore()).trustedRoot.certificateAuthorities;
    const of = (data: string): string => keyless([IDENTITY], {}, { 'ca-cert': { data } });
    const scene = await sealed();
    assert.equal(await code(scene, of(pemOf(own?.chain ?? []))), 'trusted');
    assert.match(await code(scene, of(pemOf(strange?.chain ?? []))), /^refused (?:certificate|authority)-/);
  });
});

describe('a threshold', () => {
  it('counts an identity once, however many certificates and keys it had', async () => {
    const scene = await sealed();
    await scene.lay(await sigstore.seal({ payload: scene.statement(SIGN) }));
    const other = { issuer: ISSUER, subject: 'https://idp.example/other' };
    const decision = await scene.decide(keyless([IDENTITY, other], { threshold: 2 }), { fallback });
    assert.deepEqual([decision.outcome, decision.policies[0]?.code], ['refused', 'signers-too-few']);
    assert.match(decision.message, /by 1 of the 2 different signers/);
    assert.equal(await code(scene, keyless([IDENTITY, other], { threshold: 1 })), 'trusted');
  });
});

describe('maxAge', () => {
  it('counts from the earliest time that a log or a clock has signed', async () => {
    const scene = await sealed();
    const policy = keyless([IDENTITY], { maxAge: '7d' });
    assert.equal(await code(scene, policy, { now: new Date('2026-06-07T00:00:00Z') }), 'trusted');
    assert.equal(await code(scene, policy, { now: new Date('2026-06-09T00:00:00Z') }), 'refused seal-too-old');
  });

  it('refuses a seal of which nobody says how old it is', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.sign(signer);
    const policy = policyOf([{ key: { data: encodePublicKey(signer.publicKey) }, maxAge: '7d' }]);
    assert.equal(await code(scene, policy), 'refused seal-undated');
  });
});

describe('revocation', () => {
  const settings = (...revocations: readonly object[]): string =>
    JSON.stringify({
      apiVersion: 'policy.bulla/v1alpha1',
      kind: 'PolicySettings',
      metadata: { name: 's' },
      spec: { revocations },
    });
  const policy = keyless([IDENTITY]);

  it('of an identity counts from its time on, by the time of a log', async () => {
    const scene = await sealed();
    const identity = { subject: SUBJECT };
    const [before, after] = ['2026-06-01T00:00:00Z', '2026-06-01T01:00:00Z'];
    assert.equal(await code(scene, policy + settings({ identity, since: after })), 'trusted');
    assert.equal(await code(scene, policy + settings({ identity, since: before })), 'refused signer-revoked');
    assert.equal(await code(scene, policy + settings({ identity })), 'refused signer-revoked');
  });

  it('is of those who are named, by a whole issuer if need be', async () => {
    const scene = await sealed();
    assert.equal(
      await code(scene, policy + settings({ identity: { issuerRegExp: 'issuer' } })),
      'refused signer-revoked',
    );
    assert.equal(await code(scene, policy + settings({ identity: { subject: 'other@example.com' } })), 'trusted');
  });

  it('of a key refuses its seals that have no time', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.sign(signer);
    const key = { data: encodePublicKey(signer.publicKey) };
    const since = '2036-01-01T00:00:00Z';
    const decision = await scene.decide(policyOf([{ key }]) + settings({ key, since, reason: 'lost laptop' }));
    assert.equal(decision.nearest?.code, 'signer-revoked');
    assert.match(decision.nearest?.found ?? '', /without a time.*lost laptop/);
  });

  it('of a key touches its seals by a certificate too, and no others', async () => {
    const scene = await sealed();
    const { policies } = await scene.decide(policy, { fallback });
    const signer = policies[0]?.authorities[0]?.seals[0]?.signer;
    assert.ok(signer?.kind === 'identity');
    const key = { data: encodePublicKey(certificateKey(signer.certificate, 'the certificate')) };
    assert.equal(await code(scene, policy + settings({ key })), 'refused signer-revoked');
    const since = '2026-06-01T01:00:00Z';
    assert.equal(await code(scene, policy + settings({ key, since })), 'trusted');
    const other = { data: encodePublicKey((await newSigner()).publicKey) };
    assert.equal(await code(scene, policy + settings({ key: other })), 'trusted');
  });

  it('counts by the time of a timestamp authority where no log says one, and refuses a seal without either', async () => {
    const scene = await sealed({ logs: [], stamped: [SIGNED] });
    const byClock = keyless([IDENTITY], { rfc3161timestamp: {} });
    const revoked = (since: string): string => byClock + settings({ identity: { subject: SUBJECT }, since });
    assert.equal(await code(scene, byClock), 'trusted');
    const [before, after] = [SIGNED, new Date(SIGNED.getTime() + 1000)].map((time) => time.toISOString());
    assert.equal(await code(scene, revoked(before ?? '')), 'refused signer-revoked');
    assert.equal(await code(scene, revoked(after ?? '')), 'trusted');
  });

  it('leaves another signer as good as before', async () => {
    const scene = await Scene.create();
    const [lost, good] = [await newSigner(), await newSigner()];
    await scene.sign(lost);
    await scene.sign(good);
    const data = encodePublicKey(lost.publicKey) + encodePublicKey(good.publicKey);
    const text = policyOf([{ key: { data } }]) + settings({ key: { data: encodePublicKey(lost.publicKey) } });
    assert.equal(await code(scene, text), 'trusted');
  });
});

describe('the examples of policy-controller', () => {
  it('A: one workflow, tags only', async () => {
    const policy = `
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: signed-by-release-workflow}
spec:
  mode: enforce
  images: [{glob: "registry.example.com/prod/**"}]
  authorities:
  - name: ci
    keyless:
      url: https://fulcio.example.com
      identities:
      - issuer: ${ISSUER}
        subjectRegExp: ^https://ci\\.example/app/release@refs/tags/v[0-9.]+$
    ctlog: {url: "${LOG}"}
`;
    assert.equal(await code(await sealed(), policy), 'trusted');
    assert.equal(
      await code(await sealed(), policy.replace('refs/tags', 'refs/heads')),
      'refused identity-subject-mismatch',
    );
    assert.equal(await code(await Scene.create(), policy), 'refused');
  });

  it('B: a key and a fresh scan, with CEL in the place of Rego and CUE, signatures in another repository', async () => {
    const [signer, scene] = [await newSigner(), await sealed({ logs: [], stamped: [SIGNED] }, VULN, SCAN)];
    const policy = `
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: built-and-scanned}
spec:
  images: [{glob: "registry.example.com/prod/**"}]
  match:
  - {group: apps, version: v1, resource: deployments}
  - {version: v1, resource: pods, selector: {matchExpressions: [{key: app, operator: Exists}]}}
  authorities:
  - name: build
    key:
      hashAlgorithm: sha256
      data: ${JSON.stringify(encodePublicKey(signer.publicKey))}
    source: [{oci: registry.example.com/signatures, signaturePullSecrets: [{name: sig-pull}]}]
  - name: scan
    keyless:
      url: https://fulcio.example.com
      trustRootRef: acme
      identities: [{issuer: "${ISSUER}", subject: "${SUBJECT}"}]
    rfc3161timestamp: {trustRootRef: acme}
    attestations:
    - name: vuln
      predicateType: ${VULN}
      policy:
        type: cel
        data: now - timestamp(predicate.metadata.scanFinishedOn) < duration('168h')
  policy:
    type: cel
    includeObjectMeta: true
    data: has(authorityMatches.build) && size(authorityMatches.build.signatures) > 0 && size(authorityMatches.scan.attestations.vuln) > 0
`;
    const resource = { group: '', version: 'v1', resource: 'pods', labels: { app: 'shop' } };
    const roots = new Map([['acme', fallback]]);
    const of = async (change: object = {}): Promise<string> => {
      const decision = await scene.decide(policy, { roots, resource, ...change });
      return `${decision.outcome} ${decision.policies[0]?.code ?? decision.code}`;
    };
    assert.equal(await of(), 'refused program-refused');
    await scene.sign(signer, ['bundle'], scene.at('registry.example.com/signatures'));
    assert.equal(await of(), 'trusted met');
    assert.equal(await of({ now: new Date('2026-06-20T00:00:00Z') }), 'refused program-refused');
    assert.equal(await of({ resource: { ...resource, labels: {} } }), 'refused no-policy-matches');
  });

  it('C: a catch-all that warns, and an allowance', async () => {
    const scene = await Scene.create();
    const policy = `
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: no-dockerhub}
spec:
  mode: warn
  images: [{glob: "index.docker.io/**"}]
  authorities: [{name: never, static: {action: fail, message: "use registry.example.com/mirror"}}]
---
apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: platform-images}
spec:
  images: [{glob: "registry.k8s.io/**"}]
  authorities: [{name: trusted, static: {action: pass}}]
`;
    const hub = await scene.decide(policy, { image: 'nginx:1' });
    assert.equal(hub.outcome, 'trusted');
    assert.deepEqual(hub.warnings, ['no-dockerhub: never: use registry.example.com/mirror']);
    const platform = await scene.decide(policy, { image: 'registry.k8s.io/pause:3' });
    assert.deepEqual([platform.outcome, platform.warnings], ['trusted', []]);
    assert.equal((await scene.decide(policy, { image: NAME })).code, 'no-policy-matches');
    assert.deepEqual(scene.calls, []);
  });
});
