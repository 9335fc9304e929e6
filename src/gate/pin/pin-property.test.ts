// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { loadPolicies, type PolicySet } from '../../policy/index.ts';
import { NAME, policyOf, Scene } from '../../policy/scene.fixture.ts';
import { findImages } from '../manifest/find-images.ts';
import type { ManifestFile } from '../manifest/found-image.ts';
import { pinImages, type PinnedFiles } from './pin-images.ts';

const NOW = new Date('2026-06-02T00:00:00Z');
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
let scene: Scene;
let set: PolicySet;
before(async () => {
  scene = await Scene.create();
  set = await loadPolicies([{ name: 'p', bytes: utf8(policyOf([{ static: { action: 'pass' } }])) }]);
});

const CHART: ManifestFile = { name: 'c/Chart.yaml', bytes: utf8('name: c\n'), met: true };

function pin(file: ManifestFile): Promise<PinnedFiles> {
  return pinImages([CHART, file], { set, open: scene.open, now: NOW });
}

const TRUSTED = `${NAME}:v1`;
const IMAGES = [TRUSTED, 'ghcr.io/other/app:v1', `${NAME}:gone`];
const image = fc.constantFrom(...IMAGES, TRUSTED);
const quote = fc.constantFrom('', '"', "'");
const remark = fc.constantFrom('', ` # ${TRUSTED}`, '   # 😀 é', '\t# x');
const end = fc.constantFrom('\n', '\r\n');

/** A pod in some style, its images in some others. */
const pod = fc
  .record({
    indent: fc.constantFrom('', '  ', '    '),
    end,
    containers: fc.array(fc.record({ image, quote, remark, flow: fc.boolean(), first: fc.boolean() }), {
      maxLength: 6,
    }),
    note: fc.constantFrom('', `# ${TRUSTED}`, `annotations: {was: "${TRUSTED}"}`),
  })
  .map(({ indent, end: lineEnd, containers, note }) => {
    const lines = ['apiVersion: v1', 'kind:    Pod', 'metadata:', '  name: "é😀"'];
    if (note !== '') lines.push(`  ${note}`);
    lines.push('spec:', '  containers:');
    for (const one of containers) {
      const value = `${one.quote}${one.image}${one.quote}`;
      if (one.flow) lines.push(`  ${indent}- {name: a, image: ${value} , args: [ "${TRUSTED}" ]}${one.remark}`);
      else if (one.first) lines.push(`  ${indent}-   image:   ${value}${one.remark}`, `  ${indent}    name: a`);
      else
        lines.push(
          `  ${indent}- name: a`,
          `  ${indent}  image: ${value}${one.remark}`,
          `  ${indent}  command: ['${TRUSTED}']`,
        );
    }
    if (containers.length === 0) lines.push(`  ${indent}- name: none`);
    return lines.join(lineEnd);
  });

const kubernetes = fc.record({ name: fc.constant('a.yaml'), text: documents(pod) });
/** In a chart, with something still to be put in, so that it is no YAML yet. */
const template = fc.record({ text: pod, end }).map(({ text, end: lineEnd }) => ({
  name: 'c/templates/a.yaml',
  text: `{{- if .Values.on }}${lineEnd}${text}${lineEnd}  - image: {{ .Values.image }}:v1${lineEnd}{{- end }}`,
}));
const compose = fc.array(fc.record({ image, quote, remark, end }), { minLength: 1, maxLength: 5 }).map((services) => ({
  name: 'compose.yaml',
  text: `services:\n${services.map((one, at) => `  s${at}:\n    image: ${one.quote}${one.image}${one.quote}${one.remark}${one.end}`).join('')}`,
}));
const dockerfile = fc
  .array(fc.record({ image, end, as: fc.boolean(), platform: fc.boolean() }), { minLength: 1, maxLength: 5 })
  .map((stages) => ({
    name: 'Dockerfile',
    text: stages
      .map(
        (one, at) =>
          `# ${TRUSTED}${one.end}FROM ${one.platform ? '--platform=linux/amd64 ' : ''} ${one.image}${one.as ? ` AS s${at}` : ''}${one.end}RUN echo ${TRUSTED}${one.end}`,
      )
      .join(''),
  }));
const values = fc
  .array(fc.record({ image, quote, remark, text: fc.boolean(), end }), { minLength: 1, maxLength: 5 })
  .map((images) => ({
    name: 'values.yaml',
    text: images
      .map((one, at) => {
        const [name = '', tag = ''] = one.image.split(':');
        const lines = one.text
          ? [`a${at}:`, `  image: ${one.quote}${one.image}${one.quote}${one.remark}`]
          : [`a${at}:`, `  image: `, `    repository: ${name}${one.remark}`, `    tag: ${one.quote}${tag}${one.quote}`];
        return lines.map((line) => line + one.end).join('');
      })
      .join(''),
  }));

function documents(one: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.array(one, { minLength: 1, maxLength: 3 }),
      fc.constantFrom('', '\uFEFF', '---\n', '# x\r\n'),
      fc.constantFrom('', '\n', '\r\n...\r\n'),
    )
    .map(([all, head, tail]) => head + all.join('\n---\n') + tail);
}

describe('pinning any document', () => {
  it('adds digests to trusted images and changes no other character; what is written reads back, and pins no further', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(kubernetes, compose, dockerfile, values, template), async ({ name, text }) => {
        const found = await findImages([CHART, { name, bytes: utf8(text) }]);
        const plan = await pin({ name, bytes: utf8(text) });
        assert.equal(plan.places.length, found.images.length);
        const after = plan.files[0]?.after ?? text;
        assert.equal(after.replaceAll(`@${scene.digest}`, ''), text);
        const again = await findImages([CHART, { name, bytes: utf8(after) }]);
        assert.deepEqual(
          again.images.map((one) => one.image),
          found.images.map((one) => (one.image === TRUSTED ? `${TRUSTED}@${scene.digest}` : one.image)),
        );
        assert.deepEqual(
          again.faults,
          found.faults.map((fault) => ({
            ...fault,
            place: again.faults.find(({ code }) => code === fault.code)?.place,
          })),
        );
        assert.deepEqual((await pin({ name, bytes: utf8(after) })).files, []);
      }),
      { numRuns: 150 },
    );
  });

  it('gives a plan for any text at all, and writes nothing that was not there', async () => {
    const piece = fc.constantFrom(
      'image',
      ': ',
      '\n',
      '  ',
      '- ',
      TRUSTED,
      '"',
      "'",
      '&a ',
      '*a',
      '{',
      '}',
      '[',
      ']',
      ',',
      '|\n',
      '>-\n',
      '#',
      '<<',
      'FROM ',
      'tag',
      'digest',
      'repository',
      '@',
      '\\',
      '\r\n',
      'apiVersion: v1\nkind: Pod\nspec:\n  containers:\n',
      'images:\n- name: ',
      'newTag: v1',
      NAME,
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('a.yaml', 'values.yaml', 'kustomization.yaml', 'compose.yaml', 'Dockerfile'),
        fc.array(piece, { maxLength: 25 }),
        async (name, pieces) => {
          const text = pieces.join('');
          const plan = await pin({ name, bytes: utf8(text) });
          const after = plan.files[0]?.after ?? text;
          const undone = after
            .replaceAll(/\r?\n *digest: sha256:[0-9a-f]{64}|, digest: "sha256:[0-9a-f]{64}"/g, '')
            .replaceAll(/@?sha256:[0-9a-f]{64}/g, '')
            .replaceAll(`${NAME}:latest`, NAME);
          assert.equal(
            undone.replaceAll(/digest: +/g, 'digest:'),
            text.replaceAll(`${NAME}:latest`, NAME).replaceAll(/digest: +/g, 'digest:'),
          );
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe('pinning hostile files', () => {
  it('pins 10,000 images in one file, and asks for each once', async () => {
    const text = Array.from(
      { length: 2000 },
      (_, at) =>
        `apiVersion: v1\nkind: Pod\nmetadata: {name: p${at}}\nspec:\n  containers:\n${'  - image: '.padEnd(11)}${TRUSTED}\n  - image: ${TRUSTED}\n  - image: ghcr.io/x/y${at}:1\n  - image: ${TRUSTED}\n  - image: ${TRUSTED}\n`,
    ).join('---\n');
    scene.calls.length = 0;
    const plan = await pin({ name: 'a.yaml', bytes: utf8(text) });
    assert.equal(plan.places.length, 10_000);
    assert.equal(plan.places.filter(({ action }) => action === 'pinned').length, 8000);
    assert.equal(plan.files[0]?.after.replaceAll(`@${scene.digest}`, ''), text);
    assert.deepEqual([plan.locked.length, scene.calls.length], [1, 1]);
  });
  it('tells of a bomb of aliases, and pins what stands beside it', async () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x,x]',
      ...'bcdefgh'.split('').map((name, at) => `${name}: &${name} [${Array(10).fill(`*${'abcdefg'[at]}`).join(',')}]`),
    ].join('\n');
    const good = `apiVersion: v1\nkind: Pod\nspec: {containers: [{image: ${TRUSTED}}]}\n`;
    const plan = await pinImages(
      [
        { name: 'bomb.yaml', bytes: utf8(`apiVersion: v1\nkind: Pod\n${bomb}\n`) },
        { name: 'good.yaml', bytes: utf8(good) },
      ],
      { set, open: scene.open, now: NOW },
    );
    assert.deepEqual(
      plan.faults.map(({ code, place }) => [code, place.file]),
      [['manifest-too-large', 'bomb.yaml']],
    );
    assert.deepEqual(
      plan.files.map(({ name }) => name),
      ['good.yaml'],
    );
  });
  it('tells of what is no text', async () => {
    const plan = await pin({ name: 'a.yaml', bytes: Uint8Array.of(0x61, 0xff) });
    assert.deepEqual([plan.files, plan.faults.map(({ code }) => code)], [[], ['manifest-malformed']]);
  });
});
