// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodePublicKey, generatePrivateKey } from '../../trust/index.ts';
import { formatFault, preparePolicies, type DocumentFault, type PolicyDocuments } from '../index.ts';
import { decodePolicyDocuments } from './decode-documents.ts';

const PEM = encodePublicKey((await generatePrivateKey('ecdsa-p256')).publicKey);
const HEAD = 'apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: p}\n';
const STATIC = 'authorities: [{static: {action: pass}}]';

async function decode(text: string | Uint8Array): Promise<PolicyDocuments> {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  return decodePolicyDocuments([{ name: 'p.yaml', bytes }]);
}

/** The faults of a policy with these fields in its spec, as JSON in YAML. */
async function faultsOf(spec: object): Promise<readonly DocumentFault[]> {
  const documents = await decode(`${HEAD}spec: ${JSON.stringify(spec)}\n`);
  return (await preparePolicies(documents, { fallback: 'later' })).faults;
}

function seal(authority: object): object {
  return { images: [{ glob: '**' }], authorities: [authority] };
}

const IDENTITY = { issuer: 'https://idp.example', subject: 'dev@example.com' };
const KEYLESS = { identities: [IDENTITY] };
const LOCAL = { data: PEM };

describe('a policy document', () => {
  it('is read from a stream of several, YAML and JSON', async () => {
    const one = `${HEAD}spec: {images: [{glob: a/**}], ${STATIC}}`;
    const two = JSON.stringify({
      apiVersion: 'policy.sigstore.dev/v1alpha1',
      kind: 'ClusterImagePolicy',
      metadata: { name: 'q' },
      spec: { mode: 'warn', images: [{ glob: 'b' }], authorities: [{ name: 'n', static: { action: 'fail' } }] },
    });
    const { policies, faults } = await decode(`${one}\n---\n---\n# nothing\n---\n${two}\n`);
    assert.deepEqual(faults, []);
    assert.deepEqual(
      policies.map(({ name, mode, authorities }) => [name, mode, authorities[0]?.name]),
      [
        ['p', 'enforce', 'authority-0'],
        ['q', 'warn', 'n'],
      ],
    );
  });

  it('is taken as kubectl prints it', async () => {
    const metadata = '{name: p, uid: x, resourceVersion: "1", creationTimestamp: "…", managedFields: [{}]}';
    const item = `{apiVersion: policy.sigstore.dev/v1beta1, kind: ClusterImagePolicy, metadata: ${metadata}, spec: {images: [{glob: a}], ${STATIC}}, status: {conditions: []}}`;
    const { policies, faults } = await decode(`apiVersion: v1\nkind: List\nmetadata: {}\nitems: [${item}]\n`);
    assert.deepEqual(faults, []);
    assert.equal(policies.length, 1);
  });

  it('has the same aliases as the value that they stand for', async () => {
    const { policies, faults } = await decode(
      `${HEAD}spec:\n  images: &i [{glob: a}]\n  authorities: [&a {name: x, static: {action: pass}}, {name: y, static: {action: fail}}]\n`,
    );
    assert.deepEqual(faults, []);
    assert.equal(policies[0]?.authorities.length, 2);
  });

  const rejected: Readonly<Record<string, readonly [spec: object, code: string, path: string]>> = {
    'no images': [{ authorities: [{ static: { action: 'pass' } }] }, 'field-missing', 'spec.images'],
    'an empty list of images': [
      { images: [], authorities: [{ static: { action: 'pass' } }] },
      'field-missing',
      'spec.images',
    ],
    'an image without a glob': [
      { images: [{}], authorities: [{ static: { action: 'pass' } }] },
      'field-missing',
      'spec.images[0].glob',
    ],
    'a bad glob': [
      { images: [{ glob: '[a]' }], authorities: [{ static: { action: 'pass' } }] },
      'field-value',
      'spec.images[0].glob',
    ],
    'no authorities': [{ images: [{ glob: 'a' }] }, 'field-missing', 'spec.authorities'],
    'a mode that is none': [{ ...seal({ static: { action: 'pass' } }), mode: 'block' }, 'field-value', 'spec.mode'],
    'a resource that is none': [
      { ...seal({ static: { action: 'pass' } }), match: [{ resource: 'nodes' }] },
      'field-value',
      'spec.match[0].resource',
    ],
    'a selector alone': [
      { ...seal({ static: { action: 'pass' } }), match: [{ selector: { matchLabels: { a: 'b' } } }] },
      'field-conflict',
      'spec.match[0].selector',
    ],
    'an operator that is none': [
      {
        ...seal({ static: { action: 'pass' } }),
        match: [{ resource: 'pods', selector: { matchExpressions: [{ key: 'a', operator: 'Is' }] } }],
      },
      'field-value',
      'spec.match[0].selector.matchExpressions[0].operator',
    ],
    'an authority of no kind': [seal({ name: 'x' }), 'field-missing', 'spec.authorities[0]'],
    'an authority of two kinds': [
      seal({ key: LOCAL, static: { action: 'pass' } }),
      'field-conflict',
      'spec.authorities[0]',
    ],
    'static without action': [seal({ static: {} }), 'field-missing', 'spec.authorities[0].static.action'],
    'static with another action': [
      seal({ static: { action: 'deny' } }),
      'field-value',
      'spec.authorities[0].static.action',
    ],
    'static with attestations': [
      seal({ static: { action: 'pass' }, attestations: [{ name: 'a', predicateType: 'https://a.example' }] }),
      'field-conflict',
      'spec.authorities[0].attestations',
    ],
    'static with source': [
      seal({ static: { action: 'pass' }, source: [{ oci: 'a.example/b' }] }),
      'field-conflict',
      'spec.authorities[0].source',
    ],
    'static with ctlog': [
      seal({ static: { action: 'pass' }, ctlog: {} }),
      'field-conflict',
      'spec.authorities[0].ctlog',
    ],
    'static with rfc3161timestamp': [
      seal({ static: { action: 'pass' }, rfc3161timestamp: { trustRootRef: 'a' } }),
      'field-conflict',
      'spec.authorities[0].rfc3161timestamp',
    ],
    'a key without data': [seal({ key: {} }), 'field-missing', 'spec.authorities[0].key'],
    'a key that is two things': [
      seal({ key: { data: PEM, kms: 'gcpkms://x' } }),
      'field-conflict',
      'spec.authorities[0].key',
    ],
    'a key that is no PEM': [seal({ key: { data: 'hello' } }), 'material-malformed', 'spec.authorities[0].key.data'],
    'a hash that is none': [
      seal({ key: { data: PEM, hashAlgorithm: 'md5' } }),
      'field-value',
      'spec.authorities[0].key.hashAlgorithm',
    ],
    'a kms of AWS without ARN': [seal({ key: { kms: 'awskms:///x' } }), 'field-value', 'spec.authorities[0].key.kms'],
    'a kms of AWS with a bad endpoint': [
      seal({ key: { kms: 'awskms://host/arn:aws:kms:eu-west-1:123456789012:key/1234' } }),
      'field-value',
      'spec.authorities[0].key.kms',
    ],
    'a kms of another cloud': [seal({ key: { kms: 'foo://x' } }), 'field-value', 'spec.authorities[0].key.kms'],
    'keyless without identities': [seal({ keyless: {} }), 'field-missing', 'spec.authorities[0].keyless.identities'],
    'keyless with url and ca-cert': [
      seal({ keyless: { ...KEYLESS, url: 'https://a.example', 'ca-cert': { kms: 'gcpkms://x' } } }),
      'field-conflict',
      'spec.authorities[0].keyless.ca-cert',
    ],
    'an identity without an issuer': [
      seal({ keyless: { identities: [{ subject: 'a' }] } }),
      'field-missing',
      'spec.authorities[0].keyless.identities[0]',
    ],
    'an identity without a subject': [
      seal({ keyless: { identities: [{ issuer: 'a' }] } }),
      'field-missing',
      'spec.authorities[0].keyless.identities[0]',
    ],
    'an identity with two issuers': [
      seal({ keyless: { identities: [{ ...IDENTITY, issuerRegExp: 'b' }] } }),
      'field-conflict',
      'spec.authorities[0].keyless.identities[0].issuerRegExp',
    ],
    'an identity with two subjects': [
      seal({ keyless: { identities: [{ ...IDENTITY, subjectRegExp: 'b' }] } }),
      'field-conflict',
      'spec.authorities[0].keyless.identities[0].subjectRegExp',
    ],
    'an expression that is none': [
      seal({ keyless: { identities: [{ issuer: 'a', subjectRegExp: '(' }] } }),
      'field-value',
      'spec.authorities[0].keyless.identities[0]',
    ],
    'a claim that is none': [
      seal({ keyless: { identities: [{ ...IDENTITY, claims: { sourceRepositoryReff: 'x' } }] } }),
      'field-unknown',
      'spec.authorities[0].keyless.identities[0].claims',
    ],
    'two sources': [
      seal({ key: LOCAL, source: [{ oci: 'a.example/b' }, { oci: 'a.example/c' }] }),
      'field-value',
      'spec.authorities[0].source',
    ],
    'a source without oci': [seal({ key: LOCAL, source: [{}] }), 'field-missing', 'spec.authorities[0].source[0].oci'],
    'a source that is no repository': [
      seal({ key: LOCAL, source: [{ oci: 'a.example/b:tag' }] }),
      'field-value',
      'spec.authorities[0].source[0].oci',
    ],
    'a pull secret without a name': [
      seal({ key: LOCAL, source: [{ oci: 'a.example/b', signaturePullSecrets: [{}] }] }),
      'field-missing',
      'spec.authorities[0].source[0].signaturePullSecrets[0].name',
    ],
    'an attestation without a name': [
      seal({ key: LOCAL, attestations: [{ predicateType: 'https://a.example' }] }),
      'field-missing',
      'spec.authorities[0].attestations[0].name',
    ],
    'an attestation without a type': [
      seal({ key: LOCAL, attestations: [{ name: 'a' }] }),
      'field-missing',
      'spec.authorities[0].attestations[0].predicateType',
    ],
    'an attestation of a type that is no URI': [
      seal({ key: LOCAL, attestations: [{ name: 'a', predicateType: 'nonsense' }] }),
      'field-value',
      'spec.authorities[0].attestations[0].predicateType',
    ],
    'a program in no language': [
      { ...seal({ key: LOCAL }), policy: { data: 'x' } },
      'field-missing',
      'spec.policy.type',
    ],
    'a program in another language': [
      { ...seal({ key: LOCAL }), policy: { type: 'lua', data: 'x' } },
      'field-value',
      'spec.policy.type',
    ],
    'a program without text': [{ ...seal({ key: LOCAL }), policy: { type: 'cue' } }, 'field-missing', 'spec.policy'],
    'a program with two texts': [
      { ...seal({ key: LOCAL }), policy: { type: 'cue', data: 'a', configMapRef: { name: 'x' } } },
      'field-conflict',
      'spec.policy',
    ],
    'a remote program over http': [
      {
        ...seal({ key: LOCAL }),
        policy: { type: 'cue', remote: { url: 'http://a.example', sha256sum: 'a'.repeat(64) } },
      },
      'field-value',
      'spec.policy.remote.url',
    ],
    'a remote program without a hash': [
      { ...seal({ key: LOCAL }), policy: { type: 'cue', remote: { url: 'https://a.example' } } },
      'field-missing',
      'spec.policy.remote.sha256sum',
    ],
    'fetchConfigFile for an attestation': [
      seal({
        key: LOCAL,
        attestations: [
          {
            name: 'a',
            predicateType: 'https://a.example',
            policy: { type: 'cue', data: 'a', fetchConfigFile: true },
          },
        ],
      }),
      'field-conflict',
      'spec.authorities[0].attestations[0].policy.fetchConfigFile',
    ],
    'a format that is none': [
      seal({ key: LOCAL, signatureFormat: 'simple' }),
      'field-value',
      'spec.authorities[0].signatureFormat',
    ],
    'a threshold of none': [seal({ key: LOCAL, threshold: 0 }), 'field-value', 'spec.authorities[0].threshold'],
    'an age that is none': [seal({ key: LOCAL, maxAge: 'a week' }), 'field-value', 'spec.authorities[0].maxAge'],
    'a list where an object belongs': [seal({ key: [] }), 'field-type', 'spec.authorities[0].key'],
    'a number where a text belongs': [seal({ key: { data: 1 } }), 'field-type', 'spec.authorities[0].key.data'],
  };
  for (const [what, [spec, code, path]] of Object.entries(rejected))
    it(`is refused for ${what}`, async () => {
      const faults = (await faultsOf(spec)).filter(({ severity }) => severity === 'error');
      assert.ok(
        faults.some((fault) => fault.code === code && fault.place.path === path),
        `${code} at ${path}, found: ${faults.map((fault) => `${fault.code} ${formatFault(fault)}`).join('; ')}`,
      );
    });

  it('is taken with each field that there is', async () => {
    const attestations = [{ name: 'a', predicateType: 'https://slsa.dev/provenance/v1' }];
    const full = {
      images: [{ glob: 'a/**' }],
      mode: 'warn',
      match: [{ group: 'apps', version: '*', resource: 'deployments', selector: { matchLabels: { a: 'b' } } }],
      authorities: [
        {
          name: 'a',
          key: { data: PEM, hashAlgorithm: 'sha256' },
          source: [{ oci: 'a.example/b', tagPrefix: 'x-', signaturePullSecrets: [{ name: 's' }] }],
          attestations,
          signatureFormat: 'legacy',
          threshold: 1,
        },
        {
          name: 'b',
          keyless: {
            url: 'https://ca.example',
            insecureIgnoreSCT: true,
            identities: [
              { ...IDENTITY, claims: { sourceRepositoryRef: 'x' }, claimsRegExp: { buildTrigger: '^push$' } },
            ],
          },
          ctlog: { url: 'https://log.example' },
          maxAge: '7d',
        },
      ],
    };
    const faults = await faultsOf(full);
    assert.deepEqual(faults.filter(({ severity }) => severity !== 'warning').map(formatFault), []);
  });

  it('names an unknown field with its line and the nearest known one', async () => {
    const { faults } = await decode(
      `${HEAD}spec:\n  images: [{glob: a}]\n  authorities:\n  - keyless:\n      identites: []\n`,
    );
    const fault = faults.find(({ code }) => code === 'field-unknown');
    assert.ok(fault !== undefined);
    assert.equal(
      formatFault(fault),
      'p.yaml:8:7: spec.authorities[0].keyless.identites: unknown field, did you mean identities?',
    );
  });

  it('is refused with a field twice, wherever', async () => {
    for (const text of [`${HEAD}kind: TrustRoot\n`, `${HEAD}spec: {images: [], images: []}\n`, '{"a":1,"\\u0061":2}']) {
      const { faults, policies } = await decode(text);
      assert.equal(faults[0]?.code, 'field-duplicate');
      assert.equal(policies.length, 0);
    }
  });

  it('of another group or version is refused, and a stranger is passed over with a warning', async () => {
    const of = async (apiVersion: string, kind: string): Promise<string> => {
      const { faults } = await decode(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: a}\nspec: {}\n`);
      return `${faults[0]?.severity} ${faults[0]?.code}`;
    };
    assert.equal(await of('config.openshift.io/v1', 'ClusterImagePolicy'), 'error kind-unknown');
    assert.equal(await of('policy.sigstore.dev/v2', 'ClusterImagePolicy'), 'error kind-unknown');
    assert.equal(await of('policy.sigstore.dev/v1beta1', 'ClusterImagePolcy'), 'error kind-unknown');
    assert.equal(await of('apps/v1', 'Deployment'), 'warning kind-unknown');
  });

  it('is refused beside another of the same name', async () => {
    const one = `${HEAD}spec: {images: [{glob: a}], ${STATIC}}\n`;
    const { faults } = await decode(`${one}---\n${one}`);
    assert.equal(faults[0]?.code, 'name-duplicate');
  });

  it('whose expression matches everything is warned of', async () => {
    const faults = await faultsOf(seal({ keyless: { identities: [{ issuer: 'a', subjectRegExp: '.*' }] } }));
    assert.deepEqual(
      faults.map(({ severity, code }) => [severity, code]),
      [['warning', 'discouraged']],
    );
  });
});

describe('hostile documents', () => {
  it('a bomb of aliases is refused', async () => {
    const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]'];
    for (let at = 1; at < 12; at++)
      lines.push(`a${at}: &a${at} [${Array.from({ length: 10 }, () => `*a${at - 1}`).join(',')}]`);
    const { faults } = await decode(`${lines.join('\n')}\n`);
    assert.equal(faults[0]?.code, 'document-too-large');
  });
  it('an alias of what it stands in is refused', async () => {
    const { faults } = await decode('a: &a {b: *a}\n');
    assert.equal(faults[0]?.code, 'document-too-large');
  });
  it('nesting without end is refused', async () => {
    for (const text of ['['.repeat(20_000), '- '.repeat(20_000), '{a: '.repeat(20_000)]) {
      const { faults } = await decode(text);
      assert.match(faults[0]?.code ?? 'none', /^(?:yaml-malformed|document-too-large)$/);
    }
  });
  it('fields by the ten thousand are told apart in bounded time', async () => {
    const fields = Array.from({ length: 50_000 }, (_, at) => `f${at}: 1`).join('\n');
    const { faults } = await decode(`apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n${fields}\n`);
    assert.equal(faults.length, 200);
  });
  it('what is not UTF-8, a tag, or too large is refused', async () => {
    assert.equal((await decode(Uint8Array.of(0xff))).faults[0]?.code, 'yaml-malformed');
    assert.equal((await decode('a: !!js/function x\n')).faults[0]?.code, 'yaml-malformed');
    assert.equal((await decode(new Uint8Array(17 * 1024 * 1024))).faults[0]?.code, 'document-too-large');
  });
  it('never makes the reader throw', async () => {
    const base = `${HEAD}spec:\n  images: [{glob: a}]\n  authorities:\n  - name: x\n    key: {kms: "gcpkms://x"}\n    ctlog: {url: "https://a.example"}\n`;
    await fc.assert(
      fc.asyncProperty(fc.nat(base.length), fc.nat(6), fc.string({ maxLength: 6 }), async (at, cut, put) => {
        const { faults } = await decode(base.slice(0, at) + put + base.slice(at + cut));
        for (const fault of faults) assert.doesNotMatch(formatFault(fault), /[\n\r\u001b]/);
      }),
      { numRuns: 300 },
    );
  });
  it('never makes the reader of any JSON throw', async () => {
    const names = fc.constantFrom('spec', 'authorities', 'key', 'keyless', 'identities', 'images', 'match', 'metadata');
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom<unknown>(null, '', 'a', 1, true, '__proto__'),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(names, tie('value'), { maxKeys: 4 }),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(value, async (spec) => {
        const document = {
          apiVersion: 'policy.sigstore.dev/v1beta1',
          kind: 'ClusterImagePolicy',
          metadata: { name: 'a' },
          spec,
        };
        await preparePolicies(await decode(JSON.stringify(document)), { fallback: 'later' });
      }),
      { numRuns: 300 },
    );
  });
});
