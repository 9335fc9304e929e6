// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { attestImage, type SealFormat } from '../../src/image/index.ts';
import { parseReference, RemoteRegistry, type Descriptor, type Repository } from '../../src/oci/index.ts';
import { decide, EvidenceCache, loadPolicies, type Decision, type PolicySet } from '../../src/policy/index.ts';
import { openFront, type RegistryFront } from './registry-front.ts';
import { newKeys, REPOSITORY, type KeyPair } from './scene.ts';
import { openSetting, type Setting } from './setting.ts';

// What a decision asks of a registry over HTTP, by the remote client: each place once, whoever asks.

const NOW = new Date();
const SCAN = 'https://example.com/scan/v1';
let setting: Setting;
let old: RegistryFront;
let keys: readonly KeyPair[];
before(async () => {
  setting = await openSetting();
  old = await openFront(setting.scene.origin, { referrersApi: false });
  keys = await Promise.all(Array.from({ length: 15 }, () => newKeys()));
});
after(async () => {
  await old[Symbol.asyncDispose]();
  await setting[Symbol.asyncDispose]();
});

const byKey = ({ publicKey }: KeyPair, more: object = {}): object => ({ key: { data: publicKey }, ...more });

function policy(authorities: readonly object[], name = 'p'): object {
  return {
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name },
    spec: { images: [{ glob: '127.0.0.1:*/**' }], authorities },
  };
}

function load(...policies: readonly object[]): Promise<PolicySet> {
  const text = policies.map((one) => JSON.stringify(one)).join('\n---\n');
  return loadPolicies([{ name: 'p.yaml', bytes: Buffer.from(text) }]);
}

/** What a decision asked for: methods, with the kind of what was asked. */
interface Asked {
  readonly decision: Decision;
  readonly requests: readonly string[];
  /** methods and paths */
  readonly lines: readonly string[];
}

async function ask(
  image: Descriptor | string,
  set: PolicySet,
  options: { readonly front?: RegistryFront; readonly evidence?: EvidenceCache; readonly onePlatform?: boolean } = {},
): Promise<Asked> {
  const { front = setting.front, evidence, onePlatform = false } = options;
  // as `admission` and `check` hold it: one client for a registry, with its connections and what it knows of it
  const registry = new RemoteRegistry(front.host, { credentials: 'anonymous' });
  const open = async (name: string): Promise<Repository> => registry.repository(parseReference(name).repository);
  const at = typeof image === 'string' ? `:${image}` : `@${image.digest}`;
  front.forget();
  const kept = evidence === undefined ? {} : { evidence };
  const decision = await decide(
    { image: `${front.host}/${REPOSITORY}${at}`, open, now: NOW, onePlatform, ...kept },
    set,
  );
  const lines = front.requests.map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(lines, [...new Set(lines)], 'nothing is asked twice');
  const kinds = /^(\w+) \/v2\/.+?\/(manifests|referrers|blobs)\//;
  return { decision, requests: lines.map((line) => kinds.exec(line)?.slice(1, 3).join(' ') ?? line), lines };
}

/** An image that strangers sealed. */
async function sealedByStrangers(count: number, formats: readonly SealFormat[] = ['bundle']): Promise<Descriptor> {
  const image = await setting.scene.image(`${count} strangers, ${formats.join()}, ${Math.random()}`);
  for (let at = 0; at < count; at++) await setting.scene.seal(image, (await newKeys()).signer, { formats });
  return image;
}

async function attested(image: Descriptor, { signer }: KeyPair): Promise<void> {
  const content = { kind: 'predicate', predicateType: SCAN, predicate: { clean: true } } as const;
  await attestImage(setting.scene.repository(), image.digest, content, { signer, formats: ['bundle'], now: NOW });
}

describe('a decision asks as much', () => {
  test('by 50 policies as by one, whether it refuses or trusts', async () => {
    const image = await sealedByStrangers(3, ['bundle', 'legacy']);
    const [key] = keys as readonly [KeyPair, ...KeyPair[]];
    const names = Array.from({ length: 50 }, (_, at) => `p${at}`);
    const sets = [await load(policy([byKey(key)])), await load(...names.map((name) => policy([byKey(key)], name)))];
    for (const outcome of ['refused', 'trusted']) {
      if (outcome === 'trusted') await setting.scene.seal(image, key.signer);
      const [one, many] = [await ask(image, sets[0] as PolicySet), await ask(image, sets[1] as PolicySet)];
      assert.deepEqual([one.decision.outcome, many.decision.outcome], [outcome, outcome]);
      assert.equal(many.decision.policies.length, 50);
      assert.ok(one.requests.length > 0);
      assert.deepEqual(many.requests.toSorted(), one.requests.toSorted());
    }
  });

  test('by 15 keys as by one, in one authority or in as many', async () => {
    const image = await sealedByStrangers(3, ['bundle', 'legacy']);
    const [first] = keys as readonly [KeyPair, ...KeyPair[]];
    const one = await ask(image, await load(policy([byKey(first)])));
    assert.equal(one.decision.outcome, 'refused');
    const together = { key: { data: keys.map(({ publicKey }) => publicKey).join('') } };
    for (const authorities of [[together], keys.map((key) => byKey(key))]) {
      const { decision, requests } = await ask(image, await load(policy(authorities)));
      assert.equal(decision.outcome, 'refused');
      assert.deepEqual(requests.toSorted(), one.requests.toSorted());
    }
  });

  test('and at most two requests more for each further signature, with and without the referrers API', async () => {
    const set = await load(policy([byKey(keys[0] as KeyPair)]));
    for (const front of [setting.front, old]) {
      const one = await ask(await sealedByStrangers(1), set, { front });
      const ten = await ask(await sealedByStrangers(10), set, { front });
      assert.deepEqual([one.decision.outcome, ten.decision.outcome], ['refused', 'refused']);
      assert.ok(ten.requests.length - one.requests.length <= 2 * 9, `${one.requests.length}, ${ten.requests.length}`);
    }
  });

  test('as 23 requests for 5 authorities and 10 signatures, one more where attestations are asked, cold and by digest', async () => {
    const image = await sealedByStrangers(10);
    const five = keys.slice(0, 5);
    const signatures = await load(policy(five.map((key) => byKey(key))));
    const attestations = [{ name: 'scan', predicateType: SCAN }];
    const both = await load(policy(five.map((key, at) => byKey(key, at % 2 === 0 ? { attestations } : {}))));
    for (const [set, most] of [
      [signatures, 23],
      [both, 24],
    ] as const) {
      const { decision, requests } = await ask(image, set, { onePlatform: true });
      assert.equal(decision.outcome, 'refused');
      assert.ok(requests.length <= most, requests.join(', '));
      // who does not know that it is an image of one platform asks for that before a refusal
      const unknown = await ask(image, set);
      assert.equal(unknown.decision.outcome, 'refused');
      assert.ok(unknown.requests.length <= most + 1, unknown.requests.join(', '));
    }
  });

  test('3 requests for one signature that counts, by digest, and 4 by tag', async () => {
    const [key] = keys as readonly [KeyPair, ...KeyPair[]];
    const image = await setting.scene.image('one good', 'good');
    await setting.scene.seal(image, key.signer);
    const set = await load(policy([byKey(key)]));
    const byDigest = await ask(image, set);
    assert.equal(byDigest.decision.outcome, 'trusted');
    assert.deepEqual(byDigest.requests, ['GET referrers', 'GET manifests', 'GET blobs']);
    const byTag = await ask('good', set);
    assert.deepEqual([byTag.decision.outcome, byTag.requests.length], ['trusted', 4]);
    assert.equal(byTag.requests.filter((request) => request.startsWith('HEAD')).length, 1, 'resolved once');
  });
});

describe('what was read', () => {
  test('is asked of nobody again: a warm decision makes no request, and is the same', async () => {
    const [key, other] = keys as readonly [KeyPair, KeyPair, ...KeyPair[]];
    const image = await sealedByStrangers(2, ['bundle', 'legacy']);
    await setting.scene.seal(image, key.signer);
    await attested(image, key);
    const attestations = [{ name: 'scan', predicateType: SCAN }];
    for (const authority of [byKey(key), byKey(key, { attestations }), byKey(other)]) {
      const set = await load(policy([authority]));
      const evidence = new EvidenceCache();
      const cold = await ask(image, set, { evidence });
      assert.ok(cold.requests.length > 0);
      const warm = await ask(image, set, { evidence });
      assert.deepEqual(warm.requests, []);
      assert.equal(JSON.stringify(warm.decision), JSON.stringify(cold.decision));
      const more = await load(policy([authority]), policy([byKey(key)], 'further'));
      const { lines } = await ask(image, more, { evidence });
      assert.deepEqual(
        lines.filter((line) => cold.lines.includes(line)),
        [],
        'a further policy asks for what nobody has read yet',
      );
    }
  });

  test('is not kept where it could not be read, and asked again', async () => {
    const [key] = keys as readonly [KeyPair, ...KeyPair[]];
    const image = await setting.scene.image('comes back');
    await setting.scene.seal(image, key.signer);
    const set = await load(policy([byKey(key)]));
    const evidence = new EvidenceCache();
    await using away = await openFront(setting.scene.origin, {
      answer: (_, response) => {
        response.writeHead(403).end();
        return true;
      },
    });
    const first = await ask(image, set, { evidence, front: away });
    assert.equal(first.decision.outcome, 'undecided');
    away.answer = () => false;
    const again = await ask(image, set, { evidence, front: away });
    assert.equal(again.decision.outcome, 'trusted');
    assert.ok(again.requests.length > 0);
  });
});

test('bulla policy explain asks the same as the library, by as many policies as one likes', async () => {
  const image = await sealedByStrangers(2);
  const [key] = keys as readonly [KeyPair, ...KeyPair[]];
  const documents = Array.from({ length: 50 }, (_, at) => JSON.stringify(policy([byKey(key)], `p${at}`)));
  writeFileSync(join(setting.machine.work, 'policies.yaml'), documents.join('\n---\n'));
  writeFileSync(join(setting.machine.work, 'policy.yaml'), documents[0] ?? '');
  const counts: number[] = [];
  for (const file of ['policy.yaml', 'policies.yaml']) {
    setting.front.forget();
    const run = await setting.bulla(['policy', 'explain', '--policy', file, setting.name(image)]);
    assert.equal(run.code, 1, run.stderr);
    counts.push(setting.front.requests.length);
  }
  const { requests } = await ask(image, await load(policy([byKey(key)])));
  assert.deepEqual(counts, [requests.length, requests.length]);
});
