// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { signImage } from '../../image/index.ts';
import { openLayout } from '../../oci/index.ts';
import { encodePublicKey, generatePrivateKey, keySigner } from '../../trust/index.ts';
import { runRecorded, type Ran } from '../recording-host.fixture.ts';

const cwd = mkdtempSync(join(tmpdir(), 'bulla-policy-'));
after(() => rmSync(cwd, { recursive: true, force: true }));
const NOW = new Date('2026-06-01T00:00:00Z');
const signer = keySigner(await generatePrivateKey('ecdsa-p256'));
const other = keySigner(await generatePrivateKey('ecdsa-p256'));

function policyOf(authority: object, spec: object = {}): string {
  return JSON.stringify({
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name: 'sealed' },
    spec: { images: [{ glob: 'registry.example.com/**' }], authorities: [authority], ...spec },
  });
}

const byKey = ({ publicKey }: typeof signer): object => ({ name: 'us', key: { data: encodePublicKey(publicKey) } });
writeFileSync(join(cwd, 'good.yaml'), policyOf(byKey(signer)));
writeFileSync(join(cwd, 'other.yaml'), policyOf(byKey(other)));
writeFileSync(join(cwd, 'elsewhere.yaml'), policyOf({ key: { kms: 'gcpkms://projects/p' } }));
writeFileSync(
  join(cwd, 'bad.yaml'),
  'apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: a}\nspec: {imagse: []}\n',
);
writeFileSync(join(cwd, 'pods.yaml'), policyOf(byKey(signer), { match: [{ version: 'v1', resource: 'pods' }] }));
writeFileSync(join(cwd, 'pod.yaml'), 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {}\n');

/** a policy over the object that runs the image, and one of a kind that Kubernetes does not have */
const PAUSED = {
  type: 'cel',
  data: 'typemeta.kind == "Rollout" && spec.paused',
  includeSpec: true,
  includeTypeMeta: true,
};
const ROLLOUT =
  'apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec: {paused: true, template: {spec: {containers: [{image: app:1}]}}}\n';

mkdirSync(join(cwd, 'files'));
writeFileSync(join(cwd, 'files/hello'), 'hello');
assert.equal((await run('image', 'pack', 'files', 'oci-layout:image:v1')).code, 0);
const layout = await openLayout(join(cwd, 'image'), { name: 'image' });
const { digest } = await signImage(layout, 'v1', { signer, now: NOW });

function run(...argv: readonly string[]): Promise<Ran> {
  return runRecorded(argv, { cwd, now: NOW });
}

describe('policy check', () => {
  it('exits 0 for a valid document and says what it is about', async () => {
    const { code, stdout } = await run('policy', 'check', 'good.yaml', '--image', 'registry.example.com/a:1');
    assert.equal(code, 0);
    assert.match(stdout, /^sealed \[enforce\]: registry\.example\.com\/\*\*; run by anything; sealed as us \(key\)$/m);
    assert.match(stdout, /^registry\.example\.com\/a:1: sealed$/m);
  });
  it('exits 1 for faults, with file, line, field and the nearest known one', async () => {
    const { code, stderr } = await run('policy', 'check', 'good.yaml', 'bad.yaml');
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^error: bad\.yaml:4:8: spec\.imagse: unknown field, did you mean images\? \[field-unknown\]$/m,
    );
  });
  it('warns of what cannot be evaluated here, and refuses it with --strict', async () => {
    const lenient = await run('policy', 'check', 'elsewhere.yaml');
    assert.equal(lenient.code, 0);
    assert.match(lenient.stderr, /a key that is elsewhere: gcpkms/);
    assert.equal((await run('policy', 'check', '--strict', 'elsewhere.yaml')).code, 1);
  });
  it('says what to install where the engine of a language is not here', async () => {
    const program = { type: 'rego', data: 'package sigstore\nisCompliant { true }' };
    const stdin = policyOf({ static: { action: 'pass' } }, { policy: program });
    const none = { env: { BULLA_OPA: '/nowhere/opa' }, cwd, stdin };
    const lenient = await runRecorded(['policy', 'check', '-'], none);
    assert.equal(lenient.code, 0);
    assert.match(
      lenient.stderr,
      /spec\.policy: BULLA_OPA is \/nowhere\/opa, and there is no such program \[engine-missing\]/,
    );
    assert.equal((await runRecorded(['policy', 'check', '--strict', '-'], none)).code, 1);
  });
  it('leaves for later what has to be fetched, and what decides without a network refuses it', async () => {
    const remote = { url: 'https://policies.example/p.cel', sha256sum: 'a'.repeat(64) };
    const stdin = policyOf({ static: { action: 'pass' } }, { policy: { type: 'cel', remote } });
    const checked = await runRecorded(['policy', 'check', '--strict', '-'], { cwd, stdin });
    assert.equal(checked.code, 0);
    assert.match(
      checked.stderr,
      /the policy at https:\/\/policies\.example\/p\.cel is fetched when something is decided/,
    );
    const explain = [
      '--no-network',
      'policy',
      'explain',
      '--policy',
      '-',
      `registry.example.com/a@sha256:${'a'.repeat(64)}`,
    ];
    const decided = await runRecorded(explain, { cwd, stdin });
    assert.notEqual(decided.code, 0);
    assert.match(decided.stderr, /could not be fetched: .*--no-network/);
  });
  it('writes JSON', async () => {
    const { code, stdout } = await run('policy', 'check', '--json', 'bad.yaml');
    const document = JSON.parse(stdout) as { exitCode: number; valid: boolean; faults: readonly { code: string }[] };
    assert.deepEqual([code, document.exitCode, document.valid], [1, 1, false]);
    assert.ok(document.faults.some((fault) => fault.code === 'field-unknown'));
  });
  it('lets no name of a file begin a line of its own, and says of a policy without images that it has none', async () => {
    writeFileSync(join(cwd, 'a\nerror: b.yaml'), 'kind: [');
    const { stderr } = await run('policy', 'check', 'a\nerror: b.yaml');
    assert.match(stderr, /^error: a\\nerror: b\.yaml:1:\d+: not YAML/m);
    assert.match((await run('policy', 'check', 'bad.yaml')).stdout, /^a \[enforce\]: no image; run by anything/m);
  });
  it('reads standard input', async () => {
    const ran = await runRecorded(['policy', 'check', '-'], { cwd, stdin: policyOf(byKey(signer)) });
    assert.equal(ran.code, 0);
  });
});

describe('policy explain', () => {
  const explain = (policy: string, ...more: readonly string[]): Promise<Ran> =>
    run(
      'policy',
      'explain',
      '--no-network',
      '--policy',
      policy,
      '--as',
      'registry.example.com/app',
      'oci-layout:image:v1',
      ...more,
    );

  it('exits 0 for an image that is trusted, and says by which evidence', async () => {
    const { code, stdout } = await explain('good.yaml');
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^✓ registry\\.example\\.com/app@${digest}: trusted \\[met\\]$`, 'm'));
    assert.match(stdout, new RegExp(`key ${signer.publicKey.hint.replaceAll('+', '\\+')}, bundle sha256:`));
  });
  it('exits 1 for an image that is refused, with the nearest miss and what would make it pass', async () => {
    const { code, stdout } = await explain('other.yaml');
    assert.equal(code, 1);
    assert.match(stdout, /nearest miss \[signature-invalid\] at sha256:/);
    assert.ok(stdout.includes(`would pass with: a signature by the key ${other.publicKey.hint}`));
  });
  it('exits 2 where it could not be found out', async () => {
    const { code, stdout } = await run(
      'policy',
      'explain',
      '--no-network',
      '--policy',
      'good.yaml',
      'registry.example.com/app:v1',
    );
    assert.equal(code, 2);
    assert.match(stdout, /undecided \[unknown\]/);
  });
  it('writes JSON, the same each time', async () => {
    const [first, second] = [await explain('good.yaml', '--json'), await explain('good.yaml', '--json')];
    const document = JSON.parse(first.stdout) as { outcome: string; digest: string; evidence: readonly string[] };
    assert.deepEqual([document.outcome, document.digest, document.evidence.length], ['trusted', digest, 1]);
    assert.equal(first.stdout, second.stdout);
  });
  it('takes the object that would run the image', async () => {
    assert.equal((await explain('pods.yaml')).code, 1);
    assert.equal((await explain('pods.yaml', '--resource', 'pod.yaml')).code, 0);
    assert.match((await explain('pods.yaml', '--resource', 'good.yaml')).stderr, /0 objects that run images/);
    writeFileSync(join(cwd, 'spec.yaml'), policyOf(byKey(signer), { policy: PAUSED }));
    writeFileSync(join(cwd, 'rollout.yaml'), `${ROLLOUT}---\napiVersion: v1\nkind: Service\n`);
    assert.equal((await explain('spec.yaml')).code, 1);
    assert.equal((await explain('spec.yaml', '--resource', 'rollout.yaml')).code, 0);
    writeFileSync(join(cwd, 'broken.yaml'), 'apiVersion: v1\nkind: [Pod\n');
    assert.match(
      (await explain('pods.yaml', '--resource', 'broken.yaml')).stderr,
      /^Error: broken\.yaml:3:1: not YAML/m,
    );
  });
  it('refuses policies that cannot be evaluated, and images without a name', async () => {
    const elsewhere = await explain('elsewhere.yaml');
    assert.deepEqual([elsewhere.code, elsewhere.stdout], [64, '']);
    assert.match(elsewhere.stderr, /elsewhere\.yaml:1:\d+: .*a key that is elsewhere/);
    const nameless = await run('policy', 'explain', '--policy', 'good.yaml', 'oci-layout:image:v1');
    assert.match(nameless.stderr, /hint: say what it is called: --as NAME/);
    assert.match((await run('policy', 'explain', 'a/b')).stderr, /--policy is required/);
  });
  it('exits 64 for wrong usage: 1 is refused and nothing else', async () => {
    for (const [argv, message] of [
      [['--nonsense', 'a/b'], /unknown flag/],
      [['--policy', 'nowhere.yaml', 'a/b'], /nowhere\.yaml/],
      [['--policy', 'good.yaml'], /image is missing/],
      [['--policy', 'good.yaml', ''], /it is empty/],
      [['--policy', 'good.yaml', 'A B'], /not an image reference/],
      [['--policy', '-', '--resource', '-', 'a/b'], /read once/],
      [['--policy', 'good.yaml', '--as', 'a/b', 'oci-layout:image:v9'], /has no tag 'v9'/],
    ] as const) {
      const { code, stderr } = await run('policy', 'explain', ...argv);
      assert.match(stderr, message);
      assert.equal(code, 64, argv.join(' '));
    }
  });
  it('says of several signers and attestations what is needed together, and what is one of several', async () => {
    const both = `${encodePublicKey(signer.publicKey)}${encodePublicKey(other.publicKey)}`;
    const nobody = keySigner(await generatePrivateKey('ecdsa-p256'));
    const expected = async (authority: object): Promise<string> => {
      writeFileSync(join(cwd, 'expected.yaml'), policyOf(authority));
      const { stdout } = await explain('expected.yaml');
      return (/would pass with: (.*)/.exec(stdout)?.[1] ?? '').replaceAll(/the key \S+/g, 'KEY');
    };
    const attestations = ['https://spdx.dev/Document', 'https://slsa.dev/provenance/v1'].map((predicateType, at) => {
      return { name: `a${at}`, predicateType };
    });
    const key = { data: both };
    assert.equal(await expected({ static: { action: 'fail' } }), '');
    const program = { type: 'cel', data: 'true' };
    assert.equal(
      await expected({
        key: { data: encodePublicKey(nobody.publicKey) },
        attestations: [{ ...attestations[0], policy: program }],
      }),
      'an attestation of https://spdx.dev/Document (a0) by KEY (ecdsa-p256), of which its policy approves',
    );
    assert.equal(
      await expected({ key, threshold: 2 }),
      'a signature by 2 different signers, each of them one of: KEY (ecdsa-p256), or KEY (ecdsa-p256)',
    );
    assert.equal(
      await expected({ key, attestations: attestations.slice(0, 1) }),
      'an attestation of https://spdx.dev/Document (a0) by one of: KEY (ecdsa-p256), or KEY (ecdsa-p256)',
    );
    assert.equal(
      await expected({ key: { data: encodePublicKey(nobody.publicKey) }, attestations, maxAge: '7d' }),
      'an attestation of https://spdx.dev/Document (a0); an attestation of https://slsa.dev/provenance/v1 (a1); each by KEY (ecdsa-p256); not older than 7 days',
    );
  });
});

describe('policy test', () => {
  const testOf = (cases: readonly object[], policies: readonly string[] = ['../good.yaml']): void => {
    const spec = { policies, now: NOW.toISOString(), cases };
    const document = { apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicyTest', metadata: { name: 'release' }, spec };
    mkdirSync(join(cwd, 'tests'), { recursive: true });
    writeFileSync(join(cwd, 'tests/a.yaml'), JSON.stringify(document));
  };
  const image = 'registry.example.com/app:v1';
  const sealed = { name: 'sealed', image, layout: '../image:v1', expect: 'trusted' };

  it('exits 0 where all is decided as expected, from layouts beside the test', async () => {
    testOf([
      sealed,
      { name: 'not there', image, expect: 'undecided', code: 'unreachable' },
      {
        name: 'nobody asks',
        image: 'ghcr.io/a/b',
        layout: '../image:v1',
        expect: 'refused',
        code: 'no-policy-matches',
      },
    ]);
    const { code, stdout } = await run('policy', 'test', 'tests/a.yaml');
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^✓ release: sealed$/m);
    assert.match(stdout, /^3 of 3 as expected$/m);
  });
  it('exits 1 where a case is decided otherwise, and says why', async () => {
    testOf([sealed, { ...sealed, name: 'other', code: 'policy-failed' }], ['../other.yaml']);
    const { code, stdout } = await run('policy', 'test', 'tests/a.yaml');
    assert.equal(code, 1);
    assert.match(stdout, /expected trusted, found refused \[policy-failed\] \(tests\/a\.yaml:1\)/);
    assert.match(stdout, /nearest miss \[signature-invalid\]/);
    assert.match(stdout, /^0 of 2 as expected$/m);
  });
  it('does not take the right outcome for another reason', async () => {
    testOf([{ ...sealed, expect: 'refused', code: 'identity-subject-mismatch' }], ['../other.yaml']);
    assert.equal((await run('policy', 'test', 'tests/a.yaml')).code, 1);
  });
  it('refuses a test that tests nothing, and names unknown fields', async () => {
    testOf([]);
    assert.match((await run('policy', 'test', 'tests/a.yaml')).stderr, /spec\.cases: missing/);
    testOf([{ ...sealed, expects: 'x' }]);
    assert.match((await run('policy', 'test', 'tests/a.yaml')).stderr, /expects: unknown field, did you mean expect\?/);
  });
  it('writes JSON', async () => {
    testOf([sealed]);
    const document = JSON.parse((await run('policy', 'test', '--json', 'tests/a.yaml')).stdout) as {
      passed: number;
      cases: readonly { decision: { outcome: string } }[];
    };
    assert.deepEqual([document.passed, document.cases[0]?.decision.outcome], [1, 'trusted']);
  });
});
