// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Digest } from '../../oci/index.ts';
import { serveRegistry, type RunningRegistry } from '../../registry/index.ts';
import { checkPredicate, decodeBundle, decodeStatement } from '../../trust/index.ts';
import type { Json } from '../../wire/index.ts';
import { runRecorded, type Ran } from '../recording-host.fixture.ts';

// Summaries and exceptions, on loopback: from the command line of a pipeline to the decision of a gate.

const NOW = new Date('2026-06-01T00:00:00Z');
const cwd = mkdtempSync(join(tmpdir(), 'bulla-vsa-'));
after(() => rmSync(cwd, { recursive: true, force: true }));

let registry: RunningRegistry;
let image: string;
let digest: Digest;
before(async () => {
  registry = await serveRegistry({ data: join(cwd, 'data'), port: 0 });
  mkdirSync(join(cwd, 'files'));
  writeFileSync(join(cwd, 'files/hello'), 'hello');
  for (const name of ['sealer', 'gate', 'approver', 'stranger'])
    assert.equal((await run(['generate-key-pair', '--output-key-prefix', name])).code, 0);
  const name = `${registry.url.slice('http://'.length)}/team/app`;
  assert.equal((await run(['image', 'pack', 'files', `${name}:v1`])).code, 0);
  digest = (await registry.repository('team/app').resolve('v1'))?.digest ?? assert.fail('not pushed');
  image = `${name}@${digest}`;
  assert.equal((await run(['sign', '--key', 'sealer.key', image])).code, 0);
  writeFileSync(join(cwd, 'policy.yaml'), policyOf('sealer'));
  writeFileSync(join(cwd, 'other.yaml'), policyOf('stranger'));
});
after(() => registry.close());

function run(argv: readonly string[], now = NOW): Promise<Ran> {
  return runRecorded(argv, { cwd, now, env: { COSIGN_PASSWORD: 'pw' } });
}

const pem = (name: string): string => readFileSync(join(cwd, `${name}.pub`), 'utf8');

function policyOf(signer: string, more: object = {}): string {
  const authorities = [{ name: 'us', key: { data: pem(signer) }, ...more }];
  return JSON.stringify({
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name: 'sealed' },
    spec: { images: [{ glob: '**' }], authorities },
  });
}

function settings(name: string, spec: object): string {
  const document = { apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicySettings', metadata: { name }, spec };
  writeFileSync(join(cwd, `${name}.yaml`), JSON.stringify(document));
  return `${name}.yaml`;
}

interface Explained {
  readonly outcome: string;
  readonly code: string;
  readonly exceptions: readonly { readonly approver: string; readonly expires: string }[];
  readonly nearestException: { readonly code: string } | null;
  readonly summary: { readonly verifier: string; readonly validUntil: string } | null;
  readonly validUntil: string | null;
}

async function explain(files: readonly string[], now = NOW): Promise<Explained & { readonly exit: number }> {
  const policies = files.flatMap((file) => ['--policy', file]);
  const { code, stdout } = await run(['policy', 'explain', '--json', ...policies, image], now);
  return { ...(JSON.parse(stdout) as Explained), exit: code };
}

describe('vsa', () => {
  it('prints a statement about what was decided, and exits as the decision', async () => {
    const { code, stdout, stderr } = await run(['vsa', '--policy', 'policy.yaml', image]);
    assert.equal(code, 0, stderr);
    const { subjects, predicateType, predicate } = decodeStatement(Buffer.from(stdout));
    assert.equal(subjects[0]?.digest['sha256'], digest.slice(7));
    assert.deepEqual(checkPredicate(predicateType, predicate), []);
    assert.equal((predicate as { readonly [name: string]: Json })['verificationResult'], 'PASSED');
    assert.match(stderr, /trusted \[met\]/);
    const refused = await run(['vsa', '--policy', 'other.yaml', '--output', 'failed.json', image]);
    assert.equal(refused.code, 1);
    assert.equal(refused.stdout, '');
    assert.match(readFileSync(join(cwd, 'failed.json'), 'utf8'), /"verificationResult":"FAILED"/);
    const undecided = await run(['vsa', '--no-network', '--policy', 'policy.yaml', image]);
    assert.equal(undecided.code, 2);
    assert.equal(undecided.stdout, '');
  });

  it('signs and lays it beside the image, where a gate that demands one finds it', async () => {
    const demanding = settings('demanding', { gates: [{ key: { data: pem('gate') } }], vsa: { demand: true } });
    assert.equal((await explain(['policy.yaml', demanding])).code, 'summary-missing');
    const bystander = await run(['vsa', '--key', 'stranger.key', '--policy', 'policy.yaml', image]);
    assert.equal(bystander.code, 0, bystander.stderr);
    assert.equal((await explain(['policy.yaml', demanding])).code, 'summary-missing');
    const verifier = 'https://ci.example.com/gate';
    const signing = ['--key', 'gate.key', '--verifier', verifier, '--bundle', 'vsa.json'];
    const by = ['--policy', 'policy.yaml', '--policy', demanding];
    const made = await run(['vsa', '--json', ...signing, ...by, image]);
    assert.equal(made.code, 0, made.stderr);
    assert.equal((JSON.parse(made.stdout) as { readonly result: string }).result, 'PASSED');
    assert.equal(decodeBundle(readFileSync(join(cwd, 'vsa.json')), 'vsa.json').content.kind, 'dsse');
    const decision = await explain(['policy.yaml', demanding]);
    assert.deepEqual([decision.exit, decision.code], [0, 'summary-accepted']);
    assert.equal(decision.summary?.verifier, verifier);
    assert.equal(decision.validUntil, '2026-06-02T00:00:00.000Z');
    const late = await explain(['policy.yaml', demanding], new Date('2026-06-02T00:00:00Z'));
    assert.deepEqual([late.exit, late.code], [1, 'summary-missing']);
    const shown = await run(['policy', 'explain', '--policy', 'policy.yaml', '--policy', demanding, image]);
    assert.match(shown.stdout, /SUMMARY sha256:.*ci\.example\.com.*\n.*counts until 2026-06-02/);
  });

  it('lays nothing beside an image that is refused, unless told, and that admits nothing', async () => {
    const gates = settings('gates', { gates: [{ key: { data: pem('gate') } }] });
    const argv = ['vsa', '--json', '--key', 'gate.key', '--policy', 'other.yaml', image];
    const seals = async (...more: readonly string[]): Promise<number> => {
      const { code, stdout } = await run([...argv, ...more]);
      assert.equal(code, 1);
      return (JSON.parse(stdout) as { readonly seals: readonly unknown[] }).seals.length;
    };
    assert.equal(await seals(), 0);
    assert.equal(await seals('--failed'), 1);
    assert.equal((await explain(['other.yaml', gates])).outcome, 'refused');
  });

  it('refuses flags that only signing makes sense of', async () => {
    for (const flag of [['--no-upload'], ['--failed'], ['--bundle', 'x.json']]) {
      const { code, stderr } = await run(['vsa', '--policy', 'policy.yaml', ...flag, image]);
      // 1 says that the image is refused, and nothing else
      assert.equal(code, 64);
      assert.match(stderr, /nothing is signed/);
    }
    assert.equal((await run(['vsa', image])).code, 64);
    const closed = ['vsa', '--policy', 'policy.yaml', '--key', 'gate.pub', image];
    assert.equal((await run(closed)).code, 64);
    const twice = await run(['vsa', '--policy', '-', '--resource', '-', image]);
    assert.deepEqual([twice.code, /read once/.test(twice.stderr)], [64, true]);
  });
});

describe('policy except', () => {
  const terms = ['--lifts', 'sealed', '--reason', 'INC-4711', '--approver', 'alice@example.com'];

  it('lets a digest run for a while, without a network, and the decision says so loudly', async () => {
    const excepting = settings('excepting', { exceptions: { signers: [{ key: { data: pem('approver') } }] } });
    const argv = ['policy', 'except', '--no-network', '--key', 'approver.key', ...terms];
    const made = await run([...argv, '--bundle', 'exception.json', image]);
    assert.equal(made.code, 0, made.stderr);
    const files = ['other.yaml', excepting, 'exception.json'];
    const decision = await explain(files);
    assert.deepEqual([decision.exit, decision.code], [0, 'excepted']);
    assert.equal(decision.exceptions[0]?.approver, 'alice@example.com');
    assert.equal(decision.validUntil, '2026-06-02T00:00:00.000Z');
    const policies = files.flatMap((file) => ['--policy', file]);
    const shown = await run(['policy', 'explain', '--no-network', ...policies, image]);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /EXCEPTION lifts sealed until 2026-06-02.*\n.*alice@example\.com.*\n.*INC-4711/);
    const expired = await explain(files, new Date('2026-06-02T00:00:00Z'));
    assert.deepEqual([expired.exit, expired.nearestException?.code], [1, 'exception-expired']);
  });

  it('writes a resource for a cluster', async () => {
    const excepting = settings('excepting', { exceptions: { signers: [{ key: { data: pem('approver') } }] } });
    const argv = ['policy', 'except', '--key', 'approver.key', ...terms, '--for', '2h', '--resource', 'inc-4711'];
    const { code, stdout } = await run([...argv, image]);
    assert.equal(code, 0);
    const { kind, metadata } = JSON.parse(stdout) as { readonly kind: string; readonly metadata: object };
    assert.deepEqual([kind, metadata], ['PolicyException', { name: 'inc-4711', namespace: 'bulla' }]);
    writeFileSync(join(cwd, 'resource.yaml'), stdout);
    assert.equal((await explain(['other.yaml', excepting, 'resource.yaml'])).code, 'excepted');
  });

  it('refuses a tag, and terms that say nothing, before anything is written', async () => {
    const argv = ['policy', 'except', '--key', 'approver.key', '--bundle', 'never.json'];
    const tag = image.replace(`@${digest}`, ':v1');
    assert.match((await run([...argv, ...terms, tag])).stderr, /names no digest/);
    for (const [wrong, why] of [
      [terms.slice(2), /--lifts is required/],
      [terms.slice(0, 2), /--reason is required/],
      [terms.slice(0, 4), /--approver is required/],
      [[...terms, '--for', 'ever'], /--for is 'ever'/],
      [[...terms, '--for', '-1h'], /--for is '-1h'/],
      [[...terms, '--lifts', '*'], /policies/],
    ] as const) {
      const { code, stderr } = await run([...argv, ...wrong, image]);
      assert.equal(code, 1);
      assert.match(stderr, why);
    }
    assert.ok(!existsSync(join(cwd, 'never.json')));
  });
});
