// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { encodePublicKey, generatePrivateKey } from '../../trust/index.ts';
import { isJsonObject, type Json, type Reply, type Service } from '../../wire/index.ts';
import { PolicyCompiler, type PolicyObjects } from './compile-policies.ts';
import { withPolicyReviews, type PolicyExaminer } from './policy-reviews.ts';

const NONE: PolicyObjects = { policies: [], trustRoots: [], settings: [], exceptions: [], secrets: [], configMaps: [] };
const OTHERS: Service = {
  answer: async () => ({ status: 404, headers: {}, body: 'others' }),
  fault: () => ({ status: 400, headers: {}, body: 'fault' }),
};
const KINDS = {
  clusterimagepolicies: ['policy.sigstore.dev', 'ClusterImagePolicy'],
  trustroots: ['policy.sigstore.dev', 'TrustRoot'],
  policysettings: ['policy.bulla', 'PolicySettings'],
  policyexceptions: ['policy.bulla', 'PolicyException'],
} as const;

function examiner(objects: Partial<PolicyObjects> = {}): PolicyExaminer {
  return { examine: (kind, object) => new PolicyCompiler().examine({ ...NONE, ...objects }, kind, object, {}) };
}

interface Answer {
  readonly allowed: boolean;
  readonly message?: string;
  readonly warnings: readonly string[];
}

async function ask(service: Service, request: Readonly<Record<string, Json>>, timeout = '10s'): Promise<Answer> {
  const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: { uid: 'u', ...request } };
  const reply = await post(service, JSON.stringify(review), `/policies?timeout=${timeout}`);
  assert.equal(reply.status, 200);
  const { response } = JSON.parse(reply.body as string) as {
    readonly response: Answer & { readonly uid: string; readonly status?: { readonly message: string } };
  };
  assert.equal(response.uid, 'u');
  const message = response.status?.message;
  return {
    allowed: response.allowed,
    warnings: response.warnings ?? [],
    ...(message === undefined ? {} : { message }),
  };
}

async function post(service: Service, body: string, target = '/policies'): Promise<Reply> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(body);
  }
  return await service.answer({
    method: 'POST',
    target,
    headers: { 'content-type': 'application/json' },
    body: chunks(),
  });
}

function written(plural: keyof typeof KINDS, spec: Json, before?: Json): Readonly<Record<string, Json>> {
  const [group, kind] = KINDS[plural];
  const object = { apiVersion: `${group}/v1beta1`, kind, metadata: { name: 'x' }, spec };
  return {
    kind: { group, version: 'v1beta1', kind },
    resource: { group, version: 'v1beta1', resource: plural },
    operation: before === undefined ? 'CREATE' : 'UPDATE',
    object,
    oldObject: before === undefined ? null : { ...object, spec: before },
  };
}

const images = [{ glob: '**' }];
const BROKEN: Json = { images, authorities: [{ key: { data: 'no key' } }] };
const PASS: Json = { images, authorities: [{ static: { action: 'pass' } }] };

suite('a policy that is applied', () => {
  const service = withPolicyReviews(OTHERS, examiner());

  test('goes in where it can be used', async () => {
    assert.deepEqual(await ask(service, written('clusterimagepolicies', PASS)), { allowed: true, warnings: [] });
  });

  const BAD: Readonly<Record<string, readonly [keyof typeof KINDS, Json, RegExp]>> = {
    'a key that is none': ['clusterimagepolicies', BROKEN, /^spec\.authorities\[0\]\.key\.data: /],
    'a field that is nearly one': [
      'clusterimagepolicies',
      { images, authorities: [{ keyles: {} }] },
      /^spec\.authorities\[0\]\.keyles: unknown field, did you mean keyless\?/,
    ],
    'a field that is mistyped': [
      'clusterimagepolicies',
      { images, authorites: [] },
      /authorites.*did you mean authorities\?/,
    ],
    'a program that does not compile': [
      'clusterimagepolicies',
      { images, authorities: [{ static: { action: 'pass' } }], policy: { type: 'cel', data: 'authorityMatches.(' } },
      /spec\.policy/,
    ],
    'a glob that is none': ['clusterimagepolicies', { images: [{ glob: 'a b' }], authorities: [] }, /glob/],
    'keys that are none': ['trustroots', { sigstoreKeys: { tLogs: [{ baseURL: 'x' }] } }, /spec\.sigstoreKeys/],
    'a revocation of nobody': ['policysettings', { revocations: [{ reason: 'of whom?' }] }, /spec\.revocations/],
    'no envelope': ['policyexceptions', {}, /spec/],
  };
  for (const [what, [plural, spec, reason]] of Object.entries(BAD))
    test(`is refused with ${what} (${plural}), and the reason`, async () => {
      const { allowed, message = '' } = await ask(service, written(plural, spec));
      assert.equal(allowed, false);
      assert.match(message, reason);
    });

  test('goes in with a remark on what is not there yet, and without once it is', async () => {
    const named = { images, authorities: [{ key: { secretRef: { name: 'signers' } } }] };
    const { allowed, warnings } = await ask(service, written('clusterimagepolicies', named));
    assert.equal(allowed, true);
    assert.deepEqual(warnings, [
      "spec.authorities[0].key.secretRef: there is no Secret signers, which is looked for in the gate's own namespace alone",
    ]);
    const pem = encodePublicKey((await generatePrivateKey('ecdsa-p256')).publicKey);
    const secret = { metadata: { name: 'signers', namespace: 'gate' }, data: { 'cosign.pub': btoa(pem) } };
    const there = withPolicyReviews(OTHERS, examiner({ secrets: [secret] }));
    assert.deepEqual((await ask(there, written('clusterimagepolicies', named))).warnings, []);
    const other = { ...secret, data: { 'cosign.pub': btoa('no key') } };
    const wrong = withPolicyReviews(OTHERS, examiner({ secrets: [other] }));
    assert.match(
      (await ask(wrong, written('clusterimagepolicies', named))).message ?? '',
      /secretRef: the public key holds 6 bytes/,
    );
  });

  test('can be labelled, finalized and deleted whatever its specification says', async () => {
    assert.equal((await ask(service, written('clusterimagepolicies', BROKEN, BROKEN))).allowed, true);
    assert.equal((await ask(service, written('clusterimagepolicies', PASS, BROKEN))).allowed, true);
    assert.equal((await ask(service, written('clusterimagepolicies', BROKEN, PASS))).allowed, false);
    const request = written('clusterimagepolicies', BROKEN, PASS);
    const { object } = request;
    assert.ok(isJsonObject(object));
    const leaving = { ...object, metadata: { name: 'x', deletionTimestamp: '2030-01-01T00:00:00Z' } };
    assert.equal((await ask(service, { ...request, object: leaving })).allowed, true);
    const gone = { ...request, operation: 'DELETE', object: null, oldObject: object };
    assert.equal((await ask(service, gone)).allowed, true);
    assert.equal((await ask(service, { ...request, subResource: 'status' })).allowed, true);
  });

  test('is nobody elses affair: other objects go in', async () => {
    const request = written('clusterimagepolicies', BROKEN);
    const resource = { group: 'config.openshift.io', version: 'v1', resource: 'clusterimagepolicies' };
    assert.equal((await ask(service, { ...request, resource })).allowed, true);
  });

  test('goes in with a warning where it cannot be looked at, or not in time', async () => {
    for (const examine of [
      (): Promise<never> => Promise.reject(new TypeError('a fault of ours')),
      (): Promise<never> => new Promise(() => {}),
    ]) {
      const answer = await ask(withPolicyReviews(OTHERS, { examine }), written('trustroots', {}), '400ms');
      assert.equal(answer.allowed, true);
      assert.match(answer.warnings.join(), /could not look at this/);
    }
  });
});

suite('reviews of policies', () => {
  const service = withPolicyReviews(OTHERS, examiner());

  test('leave everything else to the gate', async () => {
    assert.equal((await post(service, '{}', '/validate')).body, 'others');
    assert.equal((await post(service, '{}', '/policies/x')).body, 'others');
  });

  test('are not made up of what is none', async () => {
    for (const body of ['', 'x', '[]', '{"kind":"AdmissionReview"}', '{"kind":"Pod","request":{"uid":"u"}}'])
      await assert.rejects(post(service, body), { code: 'review-malformed' }, body);
    await assert.rejects(post(service, ' '.repeat(9 * 1024 * 1024)), { code: 'too-large' });
  });

  test('are so many at a time, and one large body: the memory is for reviews of Pods', async () => {
    const held = withPolicyReviews(OTHERS, { examine: () => new Promise(() => {}) });
    const under = Array.from({ length: 64 }, () => ask(held, written('trustroots', {}), '600ms'));
    await assert.rejects(ask(held, written('trustroots', {}), '600ms'), { code: 'overloaded' });
    for (const answer of await Promise.all(under)) assert.equal(answer.allowed, true);
    assert.equal((await ask(held, written('trustroots', {}), '400ms')).allowed, true);

    const large = written('clusterimagepolicies', { ...PASS, padding: 'x'.repeat(7 * 1024 * 1024) });
    const first = ask(held, large, '800ms');
    await assert.rejects(ask(held, large, '500ms'), { code: 'deadline' });
    assert.equal((await first).allowed, true);
  });
});
