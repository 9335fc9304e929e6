// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadPolicies, type PolicySet } from '../policy/index.ts';
import { NAME, newSigner, policyOf, Scene, unreachable } from '../policy/scene.fixture.ts';
import { encodePublicKey } from '../trust/index.ts';
import { decideImages } from './decide-images.ts';
import { resourceOf } from './workload/resource-of.ts';

const NOW = new Date('2026-06-02T00:00:00Z');
const signer = await newSigner();
const byKey = { name: 'us', key: { data: encodePublicKey(signer.publicKey) } };

function load(...documents: readonly string[]): Promise<PolicySet> {
  return loadPolicies([{ name: 'p.yaml', bytes: new TextEncoder().encode(documents.join('')) }]);
}

const deployment = (name: string) => {
  const workload = resourceOf({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name } });
  return workload === undefined ? {} : { workload };
};

describe('deciding on images', () => {
  it('asks for each image once, however often it is found, and for the evidence of one image once', async () => {
    const scene = await Scene.create();
    await scene.sign(signer);
    const set = await load(policyOf([byKey]));
    scene.calls.length = 0;
    const images = Array.from({ length: 50 }, (_, at) => ({ image: `${NAME}:v1`, ...deployment(`d${at}`) }));
    const { decisions, distinct } = await decideImages(images, { set, open: scene.open, now: NOW });
    assert.equal(distinct, 1);
    assert.equal(decisions.size, 50);
    assert.deepEqual([...new Set([...decisions.values()].map(({ outcome }) => outcome))], ['trusted']);
    assert.equal(scene.calls.filter(({ method }) => method === 'resolve').length, 1);
    const calls = scene.calls.map(({ method, target }) => `${method} ${target}`);
    assert.equal(new Set(calls).size, calls.length, calls.join('\n'));
  });

  it('asks anew where a policy looks at the object that runs the image, or is about one kind of object', async () => {
    const scene = await Scene.create();
    await scene.sign(signer);
    const text = 'metadata.name == "good"';
    const program = { type: 'cel', data: text, includeObjectMeta: true };
    const set = await load(policyOf([byKey], { policy: program }));
    const [good, bad, again] = ['good', 'bad', 'good'].map((name) => ({ image: `${NAME}:v1`, ...deployment(name) }));
    assert.ok(good !== undefined && bad !== undefined && again !== undefined);
    const { decisions, distinct } = await decideImages([good, bad, again], { set, open: scene.open, now: NOW });
    assert.equal(distinct, 2);
    assert.deepEqual(
      [good, bad, again].map((one) => decisions.get(one)?.outcome),
      ['trusted', 'refused', 'trusted'],
    );

    const matched = await load(
      policyOf([byKey], { match: [{ group: 'apps', version: 'v1', resource: 'deployments' }] }),
    );
    const named = { image: `${NAME}:v1` };
    const other = await decideImages([good, named], { set: matched, open: scene.open, now: NOW });
    assert.deepEqual(
      [good, named].map((one) => other.decisions.get(one)?.outcome),
      ['trusted', 'refused'],
    );
  });

  it('keeps the order in which images were given', async () => {
    const scene = await Scene.create();
    const set = await load(policyOf([{ static: { action: 'pass' } }]));
    const images = [{ image: 'ghcr.io/slow/first' }, { image: 'x&y' }, { image: `${NAME}:v1` }];
    const { decisions } = await decideImages(images, { set, open: scene.open, now: NOW });
    assert.deepEqual([...decisions.keys()], images);
    assert.deepEqual(
      [...decisions.values()].map(({ outcome, code }) => `${outcome} ${code}`),
      ['refused no-policy-matches', 'refused reference-malformed', 'trusted met'],
    );
  });

  it('is at no more than so many at a time', async () => {
    const scene = await Scene.create();
    const set = await load(policyOf([byKey]));
    let [open, most] = [0, 0];
    const slowly = async (name: string) => {
      most = Math.max(most, ++open);
      await new Promise((done) => setTimeout(done, 2));
      open--;
      return scene.at(name);
    };
    const images = Array.from({ length: 20 }, (_, at) => ({ image: `registry.example.com/team/app${at}:1` }));
    await decideImages(images, { set, open: slowly, now: NOW, concurrency: 3 });
    assert.equal(most, 3);
  });

  it('says undecided, and never not signed, where a registry does not answer', async () => {
    const scene = await Scene.create();
    scene.failures.set('resolve', unreachable());
    const image = { image: `${NAME}:v1` };
    const { decisions } = await decideImages([image], {
      set: await load(policyOf([byKey])),
      open: scene.open,
      now: NOW,
    });
    assert.deepEqual([decisions.get(image)?.outcome, decisions.get(image)?.cause?.code], ['undecided', 'unreachable']);
  });

  it('ends when time is up, with what can be said without a registry', async () => {
    const scene = await Scene.create();
    const set = await load(
      policyOf([byKey]),
      policyOf([{ static: { action: 'pass' } }], { images: [{ glob: 'static.example.com/**' }] }, 'static'),
    );
    scene.calls.length = 0;
    const controller = new AbortController();
    const never = (): Promise<never> => {
      setTimeout(() => controller.abort(new Error('late')), 5);
      return new Promise(() => {});
    };
    const images = [{ image: `${NAME}:v1` }, { image: `${NAME}2:v1` }, { image: 'static.example.com/a:1' }];
    const options = { set, open: never, now: NOW, signal: controller.signal, concurrency: 1 };
    const { decisions } = await decideImages(images, options);
    assert.deepEqual(
      images.map((image) => decisions.get(image)).map((decision) => [decision?.outcome, decision?.cause?.code]),
      [
        ['undecided', 'timeout'],
        ['undecided', 'timeout'],
        ['trusted', undefined],
      ],
    );
    assert.equal(scene.calls.length, 0);
  });

  it('asks a repository that was handed over, and no other', async () => {
    const scene = await Scene.create();
    await scene.sign(signer);
    scene.opened.length = 0;
    const one = { image: `${NAME}:v1`, repository: scene.repository };
    const { decisions } = await decideImages([one], { set: await load(policyOf([byKey])), open: scene.open, now: NOW });
    assert.equal(decisions.get(one)?.outcome, 'trusted');
    assert.deepEqual(scene.opened, []);
  });
});
