// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { Digest } from '../../oci/index.ts';
import { loadPolicies, type PolicySet } from '../../policy/index.ts';
import { NAME, newSigner, policyOf, Scene, unreachable } from '../../policy/scene.fixture.ts';
import { encodePublicKey, type Signer } from '../../trust/index.ts';
import type { ManifestFile } from '../manifest/found-image.ts';
import { checkPins, pinImages, type PinOptions, type PinnedFiles } from './pin-images.ts';
import type { Lock } from './lock.ts';

const NOW = new Date('2026-06-02T00:00:00Z');
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

let scene: Scene;
let signer: Signer;
let set: PolicySet;
let digest: Digest;
before(async () => {
  scene = await Scene.create();
  signer = await newSigner();
  await scene.sign(signer);
  ({ digest } = scene);
  set = await policies(byKey(signer));
});

function byKey({ publicKey }: Signer, spec: object = {}, name = 'p'): string {
  return policyOf([{ name: 'us', key: { data: encodePublicKey(publicKey) } }], spec, name);
}

async function policies(yaml: string): Promise<PolicySet> {
  return loadPolicies([{ name: 'p.yaml', bytes: utf8(yaml) }]);
}

function file(text: string, name = 'a.yaml'): ManifestFile {
  return { name, bytes: utf8(text) };
}

async function pin(
  files: readonly ManifestFile[] | string,
  change: Partial<PinOptions> = {},
): Promise<PinnedFiles & { readonly after: string }> {
  scene.calls.length = 0;
  const all = typeof files === 'string' ? [file(files)] : files;
  const plan = await pinImages(all, { set, open: scene.open, now: NOW, ...change });
  return { ...plan, after: plan.files[0]?.after ?? '' };
}

const pod = (image: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: a\n    image: ${image}\n`;
const actions = ({ places }: PinnedFiles): readonly string[] => places.map(({ action }) => action);

describe('pinImages', () => {
  it('adds the digest that was verified, and changes nothing else', async () => {
    const text = `\uFEFF# ours\r\napiVersion: v1\r\nkind:   Pod # a pod\r\nmetadata: {name: "a"}\r\nspec:\r\n   containers:\r\n   - {image: '${NAME}:v1', name: a}   # ${NAME}:v1\r\n   -   name:  b\r\n       image:    "${NAME}:v1"\t\r\n...`;
    const plan = await pin(text);
    const expected = text
      .replace(`'${NAME}:v1'`, `'${NAME}:v1@${digest}'`)
      .replace(`"${NAME}:v1"`, `"${NAME}:v1@${digest}"`);
    assert.equal(plan.after, expected);
    assert.deepEqual(actions(plan), ['pinned', 'pinned']);
    assert.deepEqual(plan.locked, [
      {
        image: `${NAME}:v1`,
        digest,
        reasons: ['met'],
        sealedBy: [{ kind: 'key', key: signer.publicKey.hint }],
        policyHashes: [plan.places[0]?.decision.policyHash],
        evidence: plan.places[0]?.decision.evidence,
      },
    ]);
    assert.equal(plan.locked[0]?.evidence.length, 1);
  });

  it('pins what stands as it is in a template of a chart, which is no YAML yet', async () => {
    const text = `{{- if .Values.on }}\r\n  - image: '${NAME}:v1' # {{ .x }}\r\n  - image: {{ .y }}/${NAME}:v1\r\n  - {image: ${NAME}:v1}\r\n{{- end }}`;
    const files = [file('name: c\n', 'c/Chart.yaml'), file(text, 'c/templates/a.yaml')];
    const plan = await pin(files);
    const expected = text
      .replace(`'${NAME}:v1'`, `'${NAME}:v1@${digest}'`)
      .replace(`{image: ${NAME}:v1}`, `{image: ${NAME}:v1@${digest}}`);
    assert.equal(plan.after, expected);
    assert.deepEqual(actions(await pin([files[0] ?? file(''), file(expected, 'c/templates/a.yaml')])), [
      'kept',
      'kept',
    ]);
  });
  it('pins twice as once', async () => {
    const first = await pin(pod(`${NAME}:v1`));
    const second = await pin(first.after);
    assert.deepEqual([second.files, actions(second)], [[], ['kept']]);
    assert.deepEqual(second.locked, first.locked);
  });

  it('resolves a tag once, and decides once on an image in many places', async () => {
    const one = await pin(pod(`${NAME}:v1`));
    const calls = scene.calls.length;
    const many = await pin(Array.from({ length: 50 }, (_, at) => file(pod(`${NAME}:v1`), `${at}.yaml`)));
    assert.equal(scene.calls.length, calls);
    assert.equal(scene.calls.filter(({ method }) => method === 'resolve').length, 1);
    assert.equal(many.files.length, 50);
    assert.deepEqual(many.locked, one.locked);
  });

  it('leaves what is refused, and what could not be found out, and pins the others', async () => {
    const plan = await pin([
      file(pod('ghcr.io/other/app:1'), 'other.yaml'),
      file(pod(`${NAME}:gone`), 'gone.yaml'),
      file(pod(`${NAME}:v1`)),
    ]);
    assert.deepEqual(
      plan.places.map(({ action, decision }) => [action, decision.outcome, decision.code]),
      [
        ['left', 'refused', 'no-policy-matches'],
        ['left', 'refused', 'image-missing'],
        ['pinned', 'trusted', 'met'],
      ],
    );
    assert.deepEqual(
      plan.files.map(({ name }) => name),
      ['a.yaml'],
    );
    assert.equal(plan.locked.length, 1);

    const broken = await Scene.create();
    broken.failures.set('resolve', unreachable());
    const open = await pin(pod(`${NAME}:v1`), { open: broken.open });
    assert.deepEqual([actions(open), open.places[0]?.decision.outcome, open.files], [['left'], 'undecided', []]);
  });

  it('resolves what a policy lets pass unseen, and leaves what does not exist', async () => {
    const pass = await policies(policyOf([{ name: 'all', static: { action: 'pass' } }]));
    const plan = await pin(pod(`${NAME}:v1`), { set: pass });
    assert.equal(plan.after, pod(`${NAME}:v1@${digest}`));
    assert.deepEqual([plan.locked[0]?.sealedBy, plan.locked[0]?.evidence], [[], []]);
    const gone = await pin(pod(`${NAME}:v2`), { set: pass });
    assert.deepEqual([gone.files, gone.places[0]?.decision.code], [[], 'image-missing']);
    const broken = await Scene.create();
    broken.failures.set('resolve', unreachable());
    const undecided = await pin(pod(`${NAME}:v1`), { set: pass, open: broken.open });
    assert.deepEqual([undecided.files, undecided.places[0]?.decision.outcome], [[], 'undecided']);
  });

  it('does not let an image escape a policy about its tag by pinning it', async () => {
    const other = await newSigner();
    const strict = byKey(other, { images: [{ glob: `${NAME}:v1` }] }, 'strict');
    const plan = await pin(pod(`${NAME}:v1`), { set: await policies(byKey(signer) + strict) });
    assert.deepEqual([plan.files, plan.places[0]?.decision.outcome], [[], 'refused']);
  });

  it('does not write what would be refused by its digest', async () => {
    const tagged = byKey(signer, { images: [{ glob: `${NAME}:v1` }] });
    const plan = await pin(pod(`${NAME}:v1`), { set: await policies(tagged) });
    const [place] = plan.places;
    assert.deepEqual([plan.files, place?.action, place?.decision.code], [[], 'left', 'no-policy-matches']);
    assert.equal(place?.decision.image, `${NAME}:v1@${digest}`);
  });

  it('writes what no tag means: latest', async () => {
    await scene.repository.putManifest(
      (await scene.repository.manifest('v1'))?.bytes ?? new Uint8Array(),
      'application/vnd.oci.image.manifest.v1+json',
      { tag: 'latest' },
    );
    assert.equal((await pin(pod(NAME))).after, pod(`${NAME}:latest@${digest}`));
    assert.deepEqual(actions(await pin(pod(`${NAME}@${digest}`))), ['kept']);
  });

  describe('in each format', () => {
    const pinned = `${NAME}:v1@DIGEST`;
    const CASES: readonly (readonly [string, string, string, string])[] = [
      [
        'a Dockerfile',
        'Dockerfile',
        `# syntax\nFROM --platform=linux/amd64 ${NAME}:v1 AS build\nRUN x\nFROM scratch\nCOPY --from=build /a /a\n`,
        `# syntax\nFROM --platform=linux/amd64 ${pinned} AS build\nRUN x\nFROM scratch\nCOPY --from=build /a /a\n`,
      ],
      [
        'a compose file',
        'compose.yaml',
        `services:\n  web: {image: ${NAME}:v1, ports: ["80:80"]}\n`,
        `services:\n  web: {image: ${pinned}, ports: ["80:80"]}\n`,
      ],
      [
        'a kustomization, beside newTag',
        'kustomization.yaml',
        `images:\n- name: app # ours\n  newName: ${NAME}\n  newTag: v1 # the tag\nnamePrefix: x\n`,
        `images:\n- name: app # ours\n  newName: ${NAME}\n  newTag: v1 # the tag\n  digest: DIGEST\nnamePrefix: x\n`,
      ],
      [
        'a kustomization with DOS lines and no last line break',
        'kustomization.yaml',
        `images:\r\n  - newTag: "v1"\r\n    name: ${NAME}`,
        `images:\r\n  - newTag: "v1"\r\n    digest: DIGEST\r\n    name: ${NAME}`,
      ],
      [
        'a kustomization that ends with its tag',
        'kustomization.yaml',
        `images:\r\n- name: ${NAME}\r\n  newTag: 'v1'`,
        `images:\r\n- name: ${NAME}\r\n  newTag: 'v1'\r\n  digest: DIGEST`,
      ],
      [
        'a kustomization in one line',
        'kustomization.yaml',
        `images: [{name: ${NAME}, newTag: "v1"}]\n`,
        `images: [{name: ${NAME}, newTag: "v1", digest: "DIGEST"}]\n`,
      ],
      [
        'values of Helm, in their digest',
        'values.yaml',
        `image:\n  repository: ${NAME}\n  tag: v1\n  digest: ""\n`,
        `image:\n  repository: ${NAME}\n  tag: v1\n  digest: "DIGEST"\n`,
      ],
      [
        'values of Helm with nothing in their digest',
        'values.yaml',
        `image:\n  repository: ${NAME}\n  digest:\n  tag: v1\n`,
        `image:\n  repository: ${NAME}\n  digest: DIGEST\n  tag: v1\n`,
      ],
      [
        'values of Helm with a remark on their digest',
        'values.yaml',
        `image:\n  repository: ${NAME}\n  digest: # none yet\n  tag: v1\n`,
        `image:\n  repository: ${NAME}\n  digest: DIGEST # none yet\n  tag: v1\n`,
      ],
      [
        'values of Helm with null for a digest',
        'values.yaml',
        `image: {repository: ${NAME}, tag: v1, digest: ~}\n`,
        `image: {repository: ${NAME}, tag: v1, digest: DIGEST}\n`,
      ],
      [
        'a kustomization with an empty digest',
        'kustomization.yaml',
        `images:\n- {name: ${NAME}, newTag: v1, digest: }\n`,
        `images:\n- {name: ${NAME}, newTag: v1, digest: DIGEST}\n`,
      ],
      [
        'values of Helm, in the tag',
        'values.yaml',
        `image:\n  repository: ${NAME}\n  tag: "v1" # bumped by CI\n  pullPolicy: Always\n`,
        `image:\n  repository: ${NAME}\n  tag: "v1@DIGEST" # bumped by CI\n  pullPolicy: Always\n`,
      ],
      ['values of Helm, in a text', 'values.yaml', `image: ${NAME}:v1\n`, `image: ${pinned}\n`],
      [
        'JSON',
        'a.json',
        `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"image":"${NAME}:v1"}]}}`,
        `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"image":"${pinned}"}]}}`,
      ],
      [
        'an anchor and its aliases',
        'a.yaml',
        `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - image: &i ${NAME}:v1\n  - image: *i\n`,
        `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - image: &i ${pinned}\n  - image: *i\n`,
      ],
      [
        'several documents',
        'a.yaml',
        `---\n${pod(`${NAME}:v1`)}---\n# nothing\n---\n${pod(`${NAME}:v1`)}`,
        `---\n${pod(pinned)}---\n# nothing\n---\n${pod(pinned)}`,
      ],
    ];
    for (const [what, name, text, expected] of CASES)
      it(`pins ${what}`, async () => {
        const plan = await pin([file(text, name)]);
        assert.deepEqual(plan.faults, []);
        assert.equal(plan.after, expected.replaceAll('DIGEST', digest));
        const again = await pin([file(plan.after, name)]);
        assert.deepEqual([again.files, new Set(actions(again))], [[], new Set(['kept'])]);
      });
  });

  it('leaves what has variables, says why, and does not lock it', async () => {
    const files = [
      file(`ARG TAG=v1\nFROM ${NAME}:\${TAG}\n`, 'Dockerfile'),
      file(`services: {a: {image: "${NAME}:\${TAG:-v1}"}}\n`, 'compose.yaml'),
      file(`apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{image: "${NAME}:\\x761"}]}\n`),
    ];
    const plan = await pin(files);
    assert.deepEqual([plan.files, plan.locked], [[], []]);
    assert.deepEqual(
      plan.places.map(({ action, why, decision }) => [action, why, decision.outcome]),
      Array.from({ length: 3 }, () => ['left', 'its text has variables or escapes', 'trusted']),
    );
  });

  it('leaves text that two images share which are not to become the same', async () => {
    const text = `a:\n  image: {repository: ${NAME}, tag: &t v1}\nb:\n  image: {repository: ghcr.io/other/app, tag: *t}\n`;
    const plan = await pin([file(text, 'values.yaml')]);
    assert.deepEqual([plan.files, actions(plan)], [[], ['left', 'left']]);
    assert.match(plan.places[0]?.why ?? '', /shares its text with b\.image\.repository at line 4/);
  });
});

describe('pinImages with update', () => {
  it('takes what the tag is now, where that is trusted, and else keeps what stands there', async () => {
    const moved = await Scene.create();
    const old = moved.digest;
    await moved.sign(signer);
    const own = moved.repository;
    const bytes = utf8(
      JSON.stringify({
        ...JSON.parse(new TextDecoder().decode((await own.manifest(old))?.bytes)),
        annotations: { a: 'b' },
      }),
    );
    const { descriptor } = await own.putManifest(bytes, 'application/vnd.oci.image.manifest.v1+json', { tag: 'v1' });
    const text = pod(`${NAME}:v1@${old}`);
    const plain = await pin(text, { open: moved.open });
    assert.deepEqual([plain.files, actions(plain)], [[], ['kept']]);

    const refused = await pin(text, { open: moved.open, update: true });
    assert.deepEqual([refused.files, actions(refused), refused.places[0]?.newer?.outcome], [[], ['kept'], 'refused']);
    assert.equal(refused.places[0]?.newer?.digest, descriptor.digest);
    assert.equal(refused.locked[0]?.digest, old);

    await signNewer(own, descriptor.digest);
    const taken = await pin(text, { open: moved.open, update: true });
    assert.equal(taken.after, pod(`${NAME}:v1@${descriptor.digest}`));
    assert.deepEqual(
      [actions(taken), taken.places[0]?.newer, taken.locked[0]?.digest],
      [['updated'], undefined, descriptor.digest],
    );
    const again = await pin(taken.after, { open: moved.open, update: true });
    assert.deepEqual([again.files, actions(again)], [[], ['kept']]);
  });

  it('leaves an image without a tag at its digest', async () => {
    const plan = await pin(pod(`${NAME}@${digest}`), { update: true });
    assert.deepEqual([plan.files, actions(plan)], [[], ['kept']]);
  });

  it('updates the digest where each format has it', async () => {
    const stale = `sha256:${'0'.repeat(64)}`;
    const FILES: readonly (readonly [string, string])[] = [
      ['kustomization.yaml', `images:\n- name: ${NAME}\n  digest: ${stale} # old\n  newTag: v1\n`],
      ['kustomization.yaml', `images:\n- name: ${NAME}\n  newTag: v1@${stale}\n`],
      ['values.yaml', `image:\n  repository: ${NAME}\n  tag: v1\n  digest: "${stale}"\n`],
      ['values.yaml', `image:\n  repository: ${NAME}\n  tag: "v1@${stale}"\n`],
      ['values.yaml', `image:\n  repository: ${NAME}\n  tag: v1\n  sha: ${'0'.repeat(63)}a\n`],
      ['Dockerfile', `FROM ${NAME}:v1@${stale}\n`],
    ];
    for (const [name, text] of FILES) {
      const plan = await pin([file(text, name)], { update: true });
      const expected = text.replace(stale, digest).replace(`${'0'.repeat(63)}a`, digest.slice(7));
      assert.equal(plan.after, expected, text);
    }
  });
});

async function signNewer(repository: Scene['repository'], subject: Digest): Promise<void> {
  const { signImage } = await import('../../image/index.ts');
  await signImage(repository, subject, { signer, now: NOW });
}

describe('checkPins', () => {
  const check = async (text: string, lock: Lock, change: Partial<PinOptions> = {}): Promise<readonly string[]> => {
    const { decided, drifts } = await checkPins([file(text)], lock, { set, open: scene.open, now: NOW, ...change });
    return [...decided.map(({ decision }) => decision.outcome), ...drifts.map(({ code }) => code)];
  };
  let text = '';
  let lock: Lock = { paths: ['.'], images: [] };
  before(async () => {
    const plan = await pin(pod(`${NAME}:v1`));
    text = plan.after;
    lock = { paths: ['.'], images: plan.locked };
  });
  const locked = (change: Partial<Lock['images'][number]>): Lock => ({
    ...lock,
    images: lock.images.map((image) => ({ ...image, ...change })),
  });
  const other = `sha256:${'e'.repeat(64)}` as Digest;

  it('finds nothing where nothing has changed, and resolves no tag', async () => {
    scene.calls.length = 0;
    assert.deepEqual(await check(text, lock), ['trusted']);
    assert.equal(scene.calls.filter(({ method, target }) => method === 'resolve' && target === 'v1').length, 0);
  });
  it('names an image without a digest, and that the lock has it for nothing', async () => {
    assert.deepEqual(await check(pod(`${NAME}:v1`), lock), ['not-pinned', 'not-used']);
  });
  it('names an image that is not in the lock', async () => {
    assert.deepEqual(await check(text, { ...lock, images: [] }), ['trusted', 'not-locked']);
  });
  it('names another digest than that of the lock', async () => {
    assert.deepEqual(await check(text, locked({ digest: other })), ['trusted', 'digest-differs', 'not-used']);
  });
  it('names other policies', async () => {
    assert.deepEqual(await check(text, locked({ policyHashes: [other] })), ['trusted', 'policy-changed']);
    const more = await policies(byKey(signer) + policyOf([{ static: { action: 'pass' } }], {}, 'q'));
    assert.deepEqual(await check(text, lock, { set: more }), ['trusted', 'policy-changed']);
  });
  it('names evidence that is gone, and a signer', async () => {
    assert.deepEqual(await check(text, locked({ evidence: [other] })), ['trusted', 'evidence-gone']);
    assert.deepEqual(await check(text, locked({ sealedBy: [{ kind: 'key', key: 'x' }] })), ['trusted', 'signer-gone']);
  });
  it('takes more evidence than the lock has', async () => {
    assert.deepEqual(await check(text, locked({ evidence: [], sealedBy: [] })), ['trusted']);
  });
  it('trusts nothing for being in the lock', async () => {
    const theirs = await policies(byKey(await newSigner()));
    assert.deepEqual(await check(text, lock, { set: theirs }), ['refused']);
    const broken = await Scene.create();
    broken.failures.set('referrers', unreachable());
    assert.deepEqual(await check(text, lock, { open: broken.open }), ['undecided']);
  });
});
