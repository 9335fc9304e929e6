// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NAME, newSigner, policyOf, unreachable } from '../../policy/scene.fixture.ts';
import { exceptionStatement } from '../../policy/index.ts';
import { encodeBundle, encodePublicKey, signBundle, type Signer } from '../../trust/index.ts';
import { GateScene, podOf, workloadOf } from './gate.fixture.ts';

const signer = await newSigner();
const byKey = ({ publicKey }: Signer, more: object = {}): object => ({
  key: { data: encodePublicKey(publicKey) },
  ...more,
});
const SEALED = policyOf([byKey(signer)], {}, 'sealed');

async function sealed(yaml = SEALED): Promise<GateScene> {
  const gate = await GateScene.create(yaml);
  await gate.scene.sign(signer);
  gate.scene.calls.length = 0;
  return gate;
}

async function admits(gate: GateScene, change: object = {}): Promise<boolean> {
  return (await gate.review('validate', { object: podOf([gate.pinned]), ...change })).allowed;
}

/** What was asked of registries since the last time. */
function asked(gate: GateScene): readonly string[] {
  return gate.scene.calls.splice(0).map(({ method }) => method);
}

describe('an image that is judged again', () => {
  test('is answered from memory as long as the listing is fresh', async () => {
    const gate = await sealed();
    for (let round = 0; round < 5; round++) {
      assert.equal(await admits(gate), true);
      gate.time += 1000;
    }
    assert.equal(asked(gate).filter((method) => method === 'referrers').length, 1);
  });

  test('once it is not, is asked for its listing and for nothing that has a digest: signatures do not change', async () => {
    const gate = await sealed();
    await admits(gate);
    assert.ok(asked(gate).includes('blob'));
    gate.time += 11_000;
    assert.equal(await admits(gate), true);
    const again = asked(gate);
    assert.ok(again.includes('referrers'));
    assert.ok(!again.includes('blob') && !again.includes('manifest'), again.join(' '));
  });

  test('is verified anew where the listing has changed: a seal that comes later is found within seconds', async () => {
    const gate = await GateScene.create(SEALED);
    assert.equal(await admits(gate), false);
    await gate.scene.sign(signer);
    gate.time += 11_000;
    assert.equal(await admits(gate), true);
  });

  test('is asked for in good time while the last answer still stands, so that nobody waits', async () => {
    const gate = await sealed();
    await admits(gate);
    asked(gate);
    gate.time += 9000;
    assert.equal(await admits(gate), true);
    await new Promise((done) => setTimeout(done, 20));
    assert.ok(asked(gate).includes('referrers'));
    gate.time += 5000;
    assert.equal(await admits(gate), true);
    assert.deepEqual(asked(gate), []);
  });

  test('is never remembered as undecided', async () => {
    const gate = await sealed();
    for (const method of ['referrers', 'resolve', 'manifest']) gate.scene.failures.set(method, unreachable());
    assert.equal(await admits(gate), false);
    gate.scene.failures.clear();
    assert.equal(await admits(gate), true);
  });

  test('is not remembered where a policy that only warns could not find out', async () => {
    const pass = policyOf([{ static: { action: 'pass' } }], {}, 'all');
    const gate = await sealed(pass + policyOf([byKey(signer)], { mode: 'warn' }, 'soon'));
    for (const method of ['referrers', 'resolve', 'manifest']) gate.scene.failures.set(method, unreachable());
    const request = { object: podOf([gate.pinned]) };
    assert.equal((await gate.review('validate', request)).warnings.length, 1);
    gate.scene.failures.clear();
    assert.deepEqual((await gate.review('validate', request)).warnings, []);
  });

  test('is undecided while the registry is down once the listing is old: memory alone admits nothing', async () => {
    const gate = await sealed();
    assert.equal(await admits(gate), true);
    for (const method of ['referrers', 'resolve', 'manifest', 'blob']) gate.scene.failures.set(method, unreachable());
    gate.time += 11_000;
    assert.equal(await admits(gate), false);
  });

  test('is decided by the policies of now, and not verified again by those that have not changed', async () => {
    const gate = await sealed();
    assert.equal(await admits(gate), true);
    asked(gate);
    await gate.policies(SEALED + policyOf([byKey(signer)], { images: [{ glob: 'elsewhere.example/**' }] }, 'other'));
    assert.equal(await admits(gate), true);
    assert.deepEqual(asked(gate), []);
    await gate.policies(policyOf([byKey(await newSigner())], {}, 'sealed'));
    assert.equal(await admits(gate), false);
  });

  test('is decided anew when a revocation comes', async () => {
    const gate = await sealed();
    assert.equal(await admits(gate), true);
    const revocations = [{ key: { data: encodePublicKey(signer.publicKey) }, reason: 'lost' }];
    const settings = {
      apiVersion: 'policy.bulla/v1alpha1',
      kind: 'PolicySettings',
      metadata: { name: 's' },
      spec: { revocations },
    };
    await gate.policies(`${SEALED}${JSON.stringify(settings)}\n`);
    assert.equal(await admits(gate), false);
  });

  test('is not remembered beyond the moment at which an exception ends, however fresh the listing is', async () => {
    const approver = await newSigner();
    const exceptions = { signers: [byKey(approver)] };
    const metadata = { name: 's' };
    const settings = { apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicySettings', metadata, spec: { exceptions } };
    const gate = await GateScene.create(SEALED);
    const [issued, expires] = [new Date(gate.time - 1000), new Date(gate.time + 3000)];
    const terms = { policies: ['sealed'], reason: 'r', approver: 'alice', issued, expires };
    const bundle = await signBundle(exceptionStatement(gate.pinned, terms), approver, []);
    await gate.policies(
      `${SEALED}${JSON.stringify(settings)}\n---\n${new TextDecoder().decode(encodeBundle(bundle))}\n`,
    );
    assert.equal(await admits(gate), true);
    gate.time += 2999;
    assert.equal(await admits(gate), true);
    gate.time += 2;
    assert.equal(await admits(gate), false);
  });

  test('a policy that reads the clock is asked each time', async () => {
    const policy = { type: 'cel', data: "now < timestamp('2026-06-02T00:00:05Z')" };
    const gate = await sealed(policyOf([byKey(signer)], { policy }, 'until'));
    assert.equal(await admits(gate), true);
    gate.time += 6000;
    assert.equal(await admits(gate), false);
  });
});

describe('images that are judged at the same time', () => {
  test('are verified once, however many containers, workloads and reviews there are', async () => {
    const gate = await sealed(
      policyOf(
        [1, 2, 3, 4, 5].map((at) => byKey(signer, { name: `a${at}` })),
        {},
        'five',
      ),
    );
    const images = Array.from({ length: 8 }, () => gate.pinned);
    const reviews = Array.from({ length: 20 }, (_, at) =>
      gate.review('validate', { object: at % 2 === 0 ? podOf(images) : workloadOf('Deployment', images) }),
    );
    for (const { allowed } of await Promise.all(reviews)) assert.equal(allowed, true);
    const calls = asked(gate);
    assert.equal(calls.filter((method) => method === 'referrers').length, 1);
    assert.equal(calls.filter((method) => method === 'blob').length, 1);
  });

  test('resolve a tag once', async () => {
    const gate = await sealed();
    await Promise.all(Array.from({ length: 20 }, () => gate.review('mutate', { object: podOf([`${NAME}:v1`]) })));
    assert.equal(asked(gate).filter((method) => method === 'resolve').length, 1);
  });

  test('are begun with by the Deployment, before its Pods come', async () => {
    const gate = await sealed();
    await gate.review('mutate', { object: workloadOf('Deployment', [`${NAME}:v1`]) });
    await new Promise((done) => setTimeout(done, 20));
    asked(gate);
    const { patch } = await gate.review('mutate', { object: podOf([`${NAME}:v1`]) });
    assert.equal((await gate.review('validate', { object: podOf([patch[1]?.value ?? '']) })).allowed, true);
    assert.deepEqual(asked(gate), []);
  });
});

describe('places that will be read', () => {
  const asks = async (signers: readonly Signer[]): Promise<readonly string[]> => {
    const gate = await GateScene.create(
      policyOf(
        signers.map((one, at) => byKey(one, { name: `a${at}` })),
        {},
        'some',
      ),
    );
    await gate.scene.sign(signer);
    gate.scene.calls.length = 0;
    assert.equal(await admits(gate), true);
    return gate.scene.calls.map(({ method, target }) => `${method} ${target.replace(/^sha256.*(?=\.sig)/, '')}`);
  };

  test('are asked at the same time where several might have sealed: none is waited for that is not needed', async () => {
    const calls = await asks([await newSigner(), signer]);
    assert.ok(calls.indexOf('manifest .sig') < calls.findIndex((call) => call.startsWith('blob')), calls.join(', '));
    assert.equal(calls.filter((call) => call === 'manifest .sig').length, 1);
  });

  test('are not asked where the first will do', async () => {
    const calls = await asks([signer]);
    assert.ok(!calls.includes('manifest .sig'), calls.join(', '));
  });
});

describe('evidence that was read with the secrets of one namespace', () => {
  test('serves another with the same secrets', async () => {
    const gate = await sealed();
    await admits(gate, { namespace: 'a' });
    asked(gate);
    await admits(gate, { namespace: 'b' });
    assert.deepEqual(asked(gate), []);
  });

  test('serves none with others, until a request of its own was answered', async () => {
    const gate = await sealed();
    gate.scopes.set('a', 'secret-a').set('b', 'secret-b');
    assert.equal(await admits(gate, { namespace: 'a' }), true);
    asked(gate);
    for (const method of ['referrers', 'resolve', 'manifest', 'blob'])
      gate.scene.failures.set(method, Object.assign(unreachable(), { message: 'wants credentials' }));
    const { allowed, message } = await gate.review('validate', { object: podOf([gate.pinned]), namespace: 'b' });
    assert.equal(allowed, false);
    assert.match(message, /wants credentials/);
    gate.scene.failures.clear();
    asked(gate);
    assert.equal(await admits(gate, { namespace: 'b' }), true);
    // asked whether it may, and nothing was read a second time
    const own = asked(gate);
    assert.ok(own.includes('referrers') && !own.includes('blob'), own.join(' '));
  });

  test('resolves no tag for another either', async () => {
    const gate = await sealed();
    gate.scopes.set('a', 'secret-a').set('b', 'secret-b');
    await gate.review('mutate', { object: podOf([`${NAME}:v1`]), namespace: 'a' });
    asked(gate);
    await gate.review('mutate', { object: podOf([`${NAME}:v1`]), namespace: 'b' });
    assert.ok(asked(gate).includes('resolve'));
  });
});

describe('a gate that is asked too much', () => {
  test('denies what it cannot get to, says so, and serves another namespace meanwhile', async () => {
    const gate = await sealed();
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    gate.restart({
      limits: { running: 2, runningEach: 1, runningFirst: 0, waiting: 10, waitingEach: 2 },
      credentials: {
        scopeOf: (namespace) => ({
          key: namespace,
          async open(name) {
            if (namespace === 'greedy') await opened;
            return gate.scene.open(name);
          },
        }),
      },
    });
    const digest = (at: number): string => `${NAME}@sha256:${String(at).padStart(64, '0')}`;
    const greedy = Array.from({ length: 10 }, (_, at) =>
      gate.review('validate', { object: podOf([digest(at)]), namespace: 'greedy' }),
    );
    assert.equal(await admits(gate, { namespace: 'modest' }), true);
    open();
    const messages = (await Promise.all(greedy)).map(({ allowed, message }) => `${allowed} ${message}`);
    assert.equal(
      messages.filter((message) => /^false .*of namespace 'greedy' wait to be verified/.test(message)).length,
      7,
    );
    assert.equal(messages.filter((message) => message.startsWith('true')).length, 0);
  });

  test('does not let one namespace stand in the way of what another wants too', async () => {
    const gate = await sealed();
    const { promise: stuck, resolve: end } = Promise.withResolvers<never>();
    gate.restart({
      limits: { running: 4, runningEach: 2, runningFirst: 0 },
      credentials: {
        scopeOf: () => ({
          key: 'all',
          open: (name) => (name.startsWith('hanging.example') ? stuck : gate.scene.open(name)),
        }),
      },
    });
    await gate.policies(SEALED + policyOf([byKey(signer)], { images: [{ glob: 'hanging.example/**' }] }, 'hanging'));
    const hanging = Array.from({ length: 50 }, (_, at) => `hanging.example/x@sha256:${String(at).padStart(64, '0')}`);
    const images = [...hanging, gate.pinned, `${NAME}:v1`];
    const greedy = gate.review('validate', { object: podOf(images), namespace: 'greedy' }, '?timeout=2s');
    const tagged = gate.review('mutate', { object: podOf([`${NAME}:v1`]), namespace: 'greedy' }, '?timeout=2s');
    await new Promise((done) => setImmediate(done));
    // what the greedy one waits for at the end of its line
    for (const image of [gate.pinned, `${NAME}:v1`]) {
      const request = { object: workloadOf('Deployment', [image]), namespace: 'modest' };
      assert.equal((await gate.review('validate', request, '?timeout=2s')).allowed, true, image);
    }
    assert.equal((await tagged).patch.length, 2);
    assert.equal(asked(gate).filter((method) => method === 'referrers').length, 1);
    assert.equal((await greedy).allowed, false);
    end(undefined as never);
  });

  test('denies a storm of images of registries that hang in time, and holds nothing of it', async () => {
    const gate = await sealed();
    const { promise: stuck } = Promise.withResolvers<never>();
    gate.restart({ credentials: { scopeOf: (namespace) => ({ key: namespace, open: () => stuck }) } });
    const storm = Array.from({ length: 1000 }, (_, at) =>
      gate.review(
        at % 2 === 0 ? 'validate' : 'mutate',
        {
          object: podOf([`${NAME}:${at}`, `${NAME}@sha256:${String(at).padStart(64, '0')}`]),
          namespace: `n${at % 20}`,
        },
        '?timeout=400ms',
      ),
    );
    for (const { status, allowed, patch, code, message } of await Promise.all(storm)) {
      assert.deepEqual([status, patch], [200, []]);
      if (!allowed) assert.deepEqual([code, message === ''], [503, false]);
    }
    // what mutates denies only when its time is up, and nothing was trusted by anybody
    const { allowed } = await gate.review('validate', { object: podOf([gate.pinned]) }, '?timeout=100ms');
    assert.equal(allowed, false);
    const { verdicts, running } = gate.gate.state();
    assert.equal(verdicts, 0);
    assert.ok(running <= 32, `${running} verifications`);
  });

  test('reads only so much beside one image, and then does not know', async () => {
    const gate = await GateScene.create(SEALED);
    for (let at = 0; at < 40; at++) await gate.scene.sign(await newSigner());
    gate.restart({ limits: { probe: 2000, small: 4000, large: 20_000 } });
    const { allowed, code, message } = await gate.review('validate', { object: podOf([gate.pinned]) });
    assert.deepEqual([allowed, code], [false, 503]);
    assert.match(message, /more than 20000 bytes of evidence lie beside the image/);
  });

  test('keeps within its memory, the least recently used going first', async () => {
    const gate = await GateScene.create(policyOf([{ static: { action: 'pass' } }], { images: [{ glob: '**' }] }));
    gate.restart({ limits: { verdictBytes: 200_000 } });
    for (let at = 0; at < 1000; at++)
      await gate.review('validate', { object: podOf([`${NAME}@sha256:${String(at).padStart(64, '0')}`]) });
    const { bytes, verdicts } = gate.gate.state();
    assert.ok(bytes <= 200_000 && verdicts > 50 && verdicts < 1000, `${verdicts} verdicts of ${bytes} bytes`);
  });
});
