// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { findImages, kindByName, type FindOptions } from './find-images.ts';
import type { FoundImage, FoundImages, ManifestFile } from './found-image.ts';
import { MANIFEST_LIMITS } from './source-text.ts';

const file = (name: string, text: string, met = false): ManifestFile => ({
  name,
  bytes: new TextEncoder().encode(text),
  ...(met ? { met } : {}),
});

const find = (name: string, text: string, options: FindOptions = {}): Promise<FoundImages> =>
  findImages([file(name, text)], options);

/** `line:column field image`, and in brackets the text of the span where it is another. */
function shown(text: string, { images }: FoundImages): readonly string[] {
  return images.map(({ image, place, span }: FoundImage) => {
    const there = text.slice(span.start, span.end);
    const line = text.split('\n')[place.line - 1] ?? '';
    assert.ok(line.slice(place.column - 1).startsWith(there), `${place.line}:${place.column} is not at ${there}`);
    return `${place.line}:${place.column} ${place.field} ${image}${there === image ? '' : ` [${there}]`}`;
  });
}

const faults = ({ faults: all }: FoundImages): readonly string[] =>
  all.map(({ severity, code, place }) => `${severity} ${code} ${place.line}:${place.column} ${place.field}`);

describe('Kubernetes manifests', () => {
  it('have images with line, column, field and the span of their text, quotes excluded', async () => {
    const text = `# Source: chart/templates/pod.yaml
apiVersion: v1
kind: Pod
metadata: {labels: {app: shop}}
spec:
  containers:
  - name: a
    image: app:1   # the app
  - {name: b, image: "double:1"}
  - name: c
    image: 'single:1'
  - name: d
    image:
      next-line:1
---
apiVersion: batch/v1
kind: CronJob
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: e, image: job:1}]}}}}}
`;
    const found = await find('pod.yaml', text);
    assert.deepEqual(shown(text, found), [
      '8:12 spec.containers[0].image app:1',
      '9:23 spec.containers[1].image double:1',
      '11:13 spec.containers[2].image single:1',
      '14:7 spec.containers[3].image next-line:1',
      '18:77 spec.jobTemplate.spec.template.spec.containers[0].image job:1',
    ]);
    assert.deepEqual(found.faults, []);
    assert.deepEqual(
      found.images.map(({ workload }) => workload?.resource.resource),
      ['pods', 'pods', 'pods', 'pods', 'cronjobs'],
    );
    assert.deepEqual(found.images[0]?.workload?.resource.labels, { app: 'shop' });
  });

  it('may be JSON, lists, have Windows line ends and a byte order mark', async () => {
    const pod = (image: string): object => ({ apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ image }] } });
    const text = `\uFEFF${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [pod('a:1'), pod('b:1')] }, null, 2).replaceAll('\n', '\r\n')}`;
    const found = await find('list.json', text);
    assert.deepEqual(shown(text, found), [
      '11:23 items[0].spec.containers[0].image a:1',
      '22:23 items[1].spec.containers[0].image b:1',
    ]);
  });

  it('have aliases and merged fields, whose place is that of the text they stand for', async () => {
    const text = `x: &base {image: base:1}
apiVersion: v1
kind: Pod
spec:
  containers:
  - {name: a, image: &img shared:1}
  - {name: b, image: *img}
  - {<<: *base, name: c}
`;
    assert.deepEqual(shown(text, await find('pod.yaml', text)), [
      '1:18 spec.containers[2].image base:1',
      '6:27 spec.containers[0].image shared:1',
      '6:27 spec.containers[1].image shared:1',
    ]);
  });

  it('have texts with escapes and blocks, which are read as what they say', async () => {
    const text = `apiVersion: v1
kind: Pod
spec: {containers: [{image: "\\x61pp:1"}]}
`;
    assert.deepEqual(shown(text, await find('pod.yaml', text)), ['3:30 spec.containers[0].image app:1 [\\x61pp:1]']);
  });

  it('are not done with before they are rendered: a template is an error', async () => {
    const text = `apiVersion: v1
kind: Pod
spec: {containers: [{image: "{{ .Values.image }}"}, {image: "app:$TAG"}, {image: "app:\${TAG}"}]}
`;
    const found = await find('pod.yaml', text);
    assert.deepEqual(found.images, []);
    assert.deepEqual(
      faults(found).map((fault) => fault.split(' ')[1]),
      Array(3).fill('template-unrendered'),
    );
  });

  it('of a kind that is not known may have what looks like an image, which is warned of', async () => {
    const text =
      'apiVersion: acme.io/v1\nkind: Thing\nspec: {proxyImage: ghcr.io/acme/proxy:1, image: small, picture: a/b:1}\n';
    assert.deepEqual(faults(await find('thing.yaml', text)), ['warning image-unjudged 3:20 spec.proxyImage']);
  });

  it('hold charts and kustomizations in objects of Flux and Argo CD', async () => {
    const text = `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
spec: {values: {image: {repository: ghcr.io/acme/app, tag: v1}}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
spec: {images: [{name: app, newName: ghcr.io/acme/app, newTag: v2}]}
---
apiVersion: argoproj.io/v1alpha1
kind: Application
spec: {source: {helm: {valuesObject: {image: redis:7}}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Application
spec: {sources: [{ref: values}, {helm: {valuesObject: {image: redis:8}}}]}
`;
    const found = await find('flux.yaml', text);
    assert.deepEqual(
      found.images.map(({ image }) => image),
      ['ghcr.io/acme/app:v1', 'ghcr.io/acme/app:v2', 'redis:7', 'redis:8'],
    );
  });
});

describe('kustomizations', () => {
  it('have images with their parts, and where a digest could be added', async () => {
    const text = `images:
- name: nginx
  newName: ghcr.io/acme/nginx
  newTag: "1.2" # the tag
- name: redis
  newTag: 7
- {name: db, digest: sha256:${'a'.repeat(64)}}
`;
    const found = await find('overlay/kustomization.yaml', text);
    assert.deepEqual(shown(text, found), [
      '3:12 images[0].newName ghcr.io/acme/nginx:1.2 [ghcr.io/acme/nginx]',
      '6:11 images[1].newTag redis:7 [7]',
      `7:22 images[2].digest db@sha256:${'a'.repeat(64)} [sha256:${'a'.repeat(64)}]`,
    ]);
    const [first, , last] = found.images;
    const tag = first?.parts?.tag;
    assert.deepEqual([tag?.text, tag?.quoted, text.slice(tag?.span.start, tag?.span.end)], ['1.2', true, '1.2']);
    assert.equal(text.slice(0, first?.parts?.newField.offset).split('\n').at(-1), '  newTag: "1.2" # the tag');
    assert.equal(first?.parts?.newField.indent, '  ');
    assert.equal(last?.parts?.newField.indent, undefined);
  });
  it('are told of where the base has a say', async () => {
    const text = `images:
- {name: a, newName: b}
- {name: c, newTag: v1, tagSuffix: -x}
- {newTag: v1}
- {name: d, newTag: 1.10}
patches:
- patch: |-
    - {op: replace, path: /spec/template/spec/containers/0/image, value: evil}
`;
    assert.deepEqual(faults(await find('kustomization.yaml', text)), [
      'error image-incomplete 2:22 images[0]',
      'error image-incomplete 3:3 images[1]',
      'error image-malformed 4:3 images[2]',
      'error image-malformed 5:21 images[3].newTag',
      'error image-incomplete 7:3 patches[0]',
    ]);
  });
});

describe('Helm values', () => {
  it('have whole images under names of other kinds, and say what looks like one elsewhere', async () => {
    const text = `images:
  app: ghcr.io/acme/app:1
  list: [acme/list:1, plain, https://example.com]
  registry: ghcr.io
controller:
  imageRef: ghcr.io/acme/ref@sha256:${'c'.repeat(64)}
  imageName: acme/half
  dockerImage: {repo: ghcr.io/acme/repo, tag: "3"}
  container: ghcr.io/acme/unknown:2
  address: example.com:8080/path
  time: "12:30"
`;
    const found = await find('values.yaml', text);
    assert.deepEqual(
      found.images.map(({ image, place }) => `${place.line} ${place.field} ${image}`),
      [
        '2 images.app ghcr.io/acme/app:1',
        '3 images.list[0] acme/list:1',
        `6 controller.imageRef ghcr.io/acme/ref@sha256:${'c'.repeat(64)}`,
        '8 controller.dockerImage.repo ghcr.io/acme/repo:3',
      ],
    );
    assert.deepEqual(faults(found), ['warning image-unjudged 9:14 controller.container']);
  });
  it('have images by their shape', async () => {
    const hex = 'b'.repeat(64);
    const text = `image:
  registry: ghcr.io
  repository: acme/app
  tag: v1
  pullPolicy: Always
sidecar:
  image: {repository: acme/sidecar, digest: ${hex}}
init: {image: {name: acme/init, tag: 2}}
proxyImage: envoy:1
cache: {image: redis, imageTag: 7.2.1}
empty: {image: ""}
source: {repository: https://git.example.com/a.git, tag: v1}
extra:
- {name: x, image: busybox}
`;
    const found = await find('values.yaml', text);
    assert.deepEqual(
      found.images.map(({ image, place }) => `${place.line} ${place.field} ${image}`),
      [
        '3 image.repository ghcr.io/acme/app:v1',
        `7 sidecar.image.repository acme/sidecar@sha256:${hex}`,
        '8 init.image.name acme/init:2',
        '9 proxyImage envoy:1',
        '10 cache.image redis:7.2.1',
        '14 extra[0].image busybox',
      ],
    );
    assert.deepEqual(found.faults, []);
    assert.ok(found.images.every(({ source, workload }) => source === 'helm-values' && workload === undefined));
  });
  it('are told of where the chart chooses', async () => {
    const text = `global: {imageRegistry: mirror.example.com}
image: {repository: acme/app, tag: ""}
job: {image: {repository: acme/job, tag: 1.10}}
extraDeploy: |
  kind: Pod
  image: evil
avatarImage: "not an image"
`;
    const found = await find('values.yaml', text);
    assert.deepEqual(found.images, []);
    assert.deepEqual(faults(found), [
      'error image-incomplete 1:25 global.imageRegistry',
      'error image-incomplete 2:21 image',
      'error image-malformed 3:42 job.image.tag',
      'error image-incomplete 4:14 extraDeploy',
      'warning image-unjudged 7:14 avatarImage',
    ]);
  });
  it('do not hide their images behind the fields of another kind', async () => {
    const found = await find('values.yaml', 'apiVersion: v1\nkind: ConfigMap\nimage: evil:1\n');
    assert.deepEqual(
      found.images.map(({ image, source }) => [image, source]),
      [['evil:1', 'helm-values']],
    );
  });
});

describe('compose files', () => {
  it('have images of services, volumes and builds, with merged fields and defaults', async () => {
    const text = `x-base: &base
  image: base:1
services:
  a: {<<: *base}
  b: {image: "app:\${TAG:-2}"}
  c: {image: "app:\${SET}"}
  d: {image: "own:1", build: {context: ., additional_contexts: {base: "docker-image://alpine:3", dir: ./x}}}
  e: {image: f:1, volumes: [{type: image, source: data:1}, "./a:/b", {type: bind, source: ./x}]}
`;
    const found = await find('compose.yaml', text, { variables: new Map([['SET', '9']]) });
    assert.deepEqual(shown(text, found), [
      '2:10 services.a.image base:1',
      '5:15 services.b.image app:2 [app:${TAG:-2}]',
      '6:15 services.c.image app:9 [app:${SET}]',
      '7:15 services.d.image own:1',
      '7:87 services.d.build.additional_contexts.base alpine:3',
      '8:14 services.e.image f:1',
      '8:51 services.e.volumes[0].source data:1',
    ]);
    assert.deepEqual(found.faults, []);
  });
  it('are told of where an image is built, elsewhere, or has a variable without a value', async () => {
    const text = `include: [other.yaml]
services:
  a: {build: .}
  b: {image: "app:\${TAG}"}
  c: {image: "\${A:?set it}"}
  d: {extends: {file: base.yaml, service: x}}
  e: {build: {dockerfile_inline: "FROM evil"}}
  f: {image: 5}
  g: {image: "\${A/x}"}
  h: {image: "$$A"}
`;
    const found = await find('docker-compose.prod.yml', text);
    assert.deepEqual(found.images, []);
    assert.deepEqual(
      found.faults.map(({ severity, code, place }) => `${severity} ${code} ${place.line} ${place.field}`).toSorted(),
      [
        'error image-incomplete 7 services.e.build.dockerfile_inline',
        'error image-malformed 8 services.f.image',
        'error template-unrendered 10 services.h.image',
        'error variable-unset 4 services.b.image',
        'error variable-unset 5 services.c.image',
        'error variable-unset 9 services.g.image',
        'warning image-built 3 services.a.build',
        'warning image-built 7 services.e.build',
        'warning image-incomplete 1 include',
        'warning image-incomplete 6 services.d',
      ],
    );
  });
  it('are known by their services, whatever they are called', async () => {
    const { images } = await find('stack.yml', 'services: {a: {image: "x:1"}}\n');
    assert.deepEqual(
      images.map(({ source }) => source),
      ['compose'],
    );
  });
});

describe('Dockerfiles', () => {
  it('have the images that they build from', async () => {
    const text = `# syntax=docker/dockerfile:1
# a comment
ARG BASE=node:20
ARG VERSION=3
FROM --platform=$BUILDPLATFORM $BASE AS Build
RUN --mount=type=bind,from=tools:1,target=/x --mount=type=cache,target=/y true
COPY --from=build /a /b
COPY --chown=1:1 --from=ghcr.io/x/y:2 /a \\
  /b
FROM \\
# between
  alpine:\${VERSION}
FROM scratch
ONBUILD COPY --from=late:1 a b
FROM "quoted:1"
COPY --from=0 a b
COPY --from=build a b
`;
    const found = await find('Dockerfile', text);
    assert.deepEqual(shown(text, found), [
      '1:10 syntax docker/dockerfile:1',
      '3:10 ARG BASE node:20',
      '6:28 RUN --mount tools:1',
      '8:25 COPY --from ghcr.io/x/y:2',
      '12:3 FROM alpine:3 [alpine:${VERSION}]',
      '14:21 COPY --from late:1',
      '15:7 FROM quoted:1',
    ]);
    assert.deepEqual(found.faults, []);
  });
  it('have here-documents, in which nothing is an instruction', async () => {
    const text = `FROM a:1
RUN <<EOF cat <<-"OTHER"
FROM not:1
EOF
	FROM not:2
	OTHER
COPY <<x /y
FROM not:3
x
RUN echo 1 <<2 && true <<never
FROM b:1
`;
    assert.deepEqual(shown(text, await find('app.Dockerfile', text)), ['1:6 FROM a:1', '11:6 FROM b:1']);
  });
  it('may have another escape character', async () => {
    const text = '# escape=`\nFROM a:1\nCOPY c:\\ d\\\nFROM `\n  b:1\n';
    assert.deepEqual(shown(text, await find('Dockerfile.windows', text)), ['2:6 FROM a:1', '5:3 FROM b:1']);
  });
  it('take build arguments', async () => {
    const text = 'ARG BASE\nARG TAG=1\nFROM $BASE:$TAG\n';
    const found = await find('Dockerfile', text, {
      variables: new Map([
        ['BASE', 'app'],
        ['TAG', '2'],
      ]),
    });
    assert.deepEqual(shown(text, found), ['3:6 FROM app:2 [$BASE:$TAG]']);
  });
  it('are told of where an image has no value, and where they are none', async () => {
    assert.deepEqual(faults(await find('Dockerfile', 'ARG BASE\nFROM $BASE\nFROM\nCOPY --from=$X a b\n')), [
      'error variable-unset 2:6 FROM',
      'error image-malformed 3:1 FROM',
      'error variable-unset 4:13 COPY --from',
    ]);
    assert.deepEqual(faults(await find('Dockerfile', 'echo hello\n')), ['error manifest-malformed 1:1 ']);
    assert.deepEqual(faults(await find('Dockerfile', 'FROM a\n%%%\n')), ['error manifest-malformed 2:1 ']);
  });
  it('are known by their first line where they have no name', async () => {
    const text = '# comment\n\nFROM a:1\n';
    assert.deepEqual(shown(text, await find('stdin', text)), ['3:6 FROM a:1']);
  });
});

describe('what files are', () => {
  it('is known by the names that are used for them', () => {
    const names = {
      dockerfile: ['Dockerfile', 'a/Dockerfile.prod', 'Containerfile', 'x.dockerfile'],
      kustomize: ['a/kustomization.yaml', 'kustomization.yml', 'Kustomization'],
      compose: ['compose.yaml', 'docker-compose.yml', 'docker-compose.prod.yml', 'compose.dev.yaml'],
      'helm-values': ['values.yaml', 'values-prod.yaml', 'chart/prod.values.yaml'],
    };
    for (const [kind, all] of Object.entries(names)) for (const name of all) assert.equal(kindByName(name), kind, name);
    for (const name of ['pod.yaml', 'Dockerfiles.txt', 'composer.json']) assert.equal(kindByName(name), undefined);
  });
  it('is a fault where a file was named and is none', async () => {
    assert.deepEqual(faults(await find('x.yaml', '- a\n- b\n')), ['error file-unknown 1:1 ']);
  });
  it('is passed over where a folder holds it, and told of', async () => {
    const files = [
      file('package.json', '{"name": "x", "image": "a:1"}', true),
      file('.gitlab-ci.yml', 'image: node:20\njob: {script: !reference [a]}\n', true),
      file('Chart.yaml', 'apiVersion: v2\nkind: x\nname: chart\n', true),
      { name: 'binary.json', bytes: new Uint8Array([0xff, 0xd8]), met: true },
    ];
    const found = await findImages(files);
    assert.deepEqual([found.images, found.faults], [[], []]);
    assert.deepEqual(
      found.passedOver,
      files.map(({ name }) => name),
    );
  });
  it('is a template of a chart, which is warned of, and elsewhere an error', async () => {
    const template = 'apiVersion: v1\nkind: Pod\n{{- if .Values.x }}\nspec: {}\n{{- end }}\n';
    const found = await findImages([
      file('c/Chart.yaml', 'name: c\n', true),
      file('c/templates/pod.yaml', template, true),
      file('d/templates/pod.yaml', template, true),
    ]);
    assert.deepEqual(
      found.faults.map(({ severity, code, place }) => [severity, code, place.file]),
      [
        ['warning', 'template-unrendered', 'c/templates/pod.yaml'],
        ['error', 'template-unrendered', 'd/templates/pod.yaml'],
      ],
    );
    assert.match(
      found.faults[1]?.message ?? '',
      /^a template that is not rendered: check the output of helm template \(/,
    );
  });
  it('has images in a template of a chart that no value changes: they are judged, and pinned', async () => {
    const template = `apiVersion: v1
kind: Pod
metadata: {{- include "labels" . | nindent 2 }}
spec:
  initContainers:
  - image: evil/hidden:1 # {{ .Values.x }}
  - {name: {{ .Release.Name }}, image: 'evil/flow:2'}
  containers:
  {{- /* image: commented/out:1 }} */}}
  # image: commented/out:2
  - image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
  - image: half/{{ .Values.name }}
  - image: {{ .Values.name }}:1
  - image: "quoted/{{ x }}"
  - "image": "evil/quoted@sha256:${'0'.repeat(64)}"
  - myimage: not/one:1
  - image: $FOO
  - image:
    repository: x
`;
    const found = await findImages([
      file('c/Chart.yaml', 'name: c\n', true),
      file('c/templates/p.yaml', template, true),
    ]);
    assert.deepEqual(shown(template, found), [
      '6:12 image evil/hidden:1',
      '7:41 image evil/flow:2',
      `15:15 image evil/quoted@sha256:${'0'.repeat(64)}`,
    ]);
    assert.deepEqual(
      found.faults.map(({ severity }) => severity),
      ['warning'],
    );
  });
  it('is read in one go where a template of a chart never ends what it begins', async () => {
    for (const begun of ['{{/*', '{{ ', 'image: "a', "image: 'a ", '# image: a ', 'image: a{{']) {
      const template = `{{ if }}\n${begun.repeat(20_000)}\n`;
      const files = [file('c/Chart.yaml', 'name: c\n', true), file('c/templates/p.yaml', template, true)];
      assert.deepEqual((await findImages(files)).images, [], begun);
    }
  });
  it('has each image once where a part of a template of a chart is YAML already, and only warns of what is to be put in', async () => {
    const template = `apiVersion: v1
kind: Pod
spec:
  containers:
  - image: "{{ .Values.image }}"
  - image: busybox:1
---
{{ include "x" . }}
`;
    const found = await findImages([
      file('c/Chart.yaml', 'name: c\n', true),
      file('c/templates/p.yaml', template, true),
    ]);
    assert.deepEqual(shown(template, found), ['6:12 spec.containers[1].image busybox:1']);
    assert.deepEqual(faults(found), [
      'warning template-unrendered 5:13 spec.containers[0].image',
      'warning template-unrendered 8:1 ',
    ]);
  });
  it('is a Dockerfile by the names that people give them, and not what is about one', () => {
    for (const name of [
      'Dockerfile-prod',
      'Dockerfile_dev',
      'a/api-Dockerfile',
      'api.dockerfile',
      'Containerfile.build',
    ])
      assert.equal(kindByName(name), 'dockerfile', name);
    for (const name of [
      'Dockerfile.dockerignore',
      'Dockerfile.md',
      'Dockerfiles',
      'myDockerfile.yaml',
      'dockerfile.go.txt',
    ])
      assert.equal(kindByName(name), undefined, name);
  });
  it('is told of where it is a patch of images, or a list that is none of objects', async () => {
    const patch = (op: string, path: string, value: unknown = 'evil:1'): string =>
      JSON.stringify([{ op, path, value }]);
    const files = [
      file('a.yaml', '- op: replace\n  path: /spec/template/spec/containers/0/image\n  value: evil:1\n', true),
      file('b.json', patch('add', '/spec/containers/-', { name: 'x', image: 'evil:1' }), true),
      file('c.json', patch('replace', '/spec/replicas', 3), true),
      file('d.json', patch('remove', '/spec/containers/0/image'), true),
      file('e.yaml', '- {apiVersion: v1, kind: Pod, spec: {containers: [{image: evil:1}]}}\n', true),
      file('f.yaml', '- hosts: all\n', true),
    ];
    const found = await findImages(files);
    assert.deepEqual(
      found.faults.map(({ severity, code, place }) => `${severity} ${code} ${place.file}:${place.line}`),
      ['error image-incomplete a.yaml:1', 'error image-incomplete b.json:1', 'error file-unknown e.yaml:1'],
    );
    assert.deepEqual(found.passedOver, ['c.json', 'd.json', 'f.yaml']);
  });
  it('is a compose file in JSON, and an image transformer that is an object of its own', async () => {
    const found = await findImages([
      file('compose.json', '{"services":{"a":{"image":"a:1"}}}', true),
      file(
        't.yaml',
        'apiVersion: builtin\nkind: ImageTagTransformer\nimageTag: {name: app, newName: b, newTag: "1"}\n',
        true,
      ),
    ]);
    assert.deepEqual(
      found.images.map(({ image, place }) => [image, place.field]),
      [
        ['a:1', 'services.a.image'],
        ['b:1', 'imageTag.newName'],
      ],
    );
  });
  it('is no template where nothing is to be put in', async () => {
    assert.deepEqual(faults(await find('x.yaml', 'a: [1\n')), ['error manifest-malformed 2:1 ']);
  });
  it('is an error where it may be YAML in an encoding that is not read: clients of Kubernetes read UTF-16', async () => {
    const text = new Uint8Array(Buffer.from('\uFEFFapiVersion: v1\nkind: Pod\n', 'utf16le'));
    for (const [name, bytes] of [
      ['pod.yaml', text],
      ['pod.yml', text.toReversed()],
      ['latin1.yaml', Buffer.from('# caf\u00E9\n', 'latin1')],
      ['pod.json', text],
    ] as const) {
      const found = await findImages([{ name, bytes, met: true }]);
      assert.deepEqual(
        [found.faults.map(({ severity, code }) => `${severity} ${code}`), found.passedOver],
        [['error manifest-malformed'], []],
        name,
      );
      assert.match(found.faults[0]?.message ?? '', bytes === text ? /^UTF-16, expected UTF-8/ : /^not UTF-8$/);
    }
  });
});

describe('hostile files', () => {
  const codes = ({ faults: all }: FoundImages): readonly string[] =>
    all.map(({ severity, code }) => `${severity} ${code}`);
  it('are faults: not YAML, not text, a field twice, a tag that changes the value', async () => {
    assert.deepEqual(codes(await find('a.yaml', 'a: [1\n')), ['error manifest-malformed']);
    assert.deepEqual(codes(await findImages([{ name: 'a.yaml', bytes: new Uint8Array([0xff]) }])), [
      'error manifest-malformed',
    ]);
    const twice = 'apiVersion: v1\nkind: Pod\nspec: {containers: [{image: good:1, image: evil:1}]}\n';
    assert.deepEqual(codes(await find('a.yaml', twice)), ['error field-duplicate']);
    const binary = 'apiVersion: v1\nkind: Pod\nspec: {containers: [{image: !!binary ZXZpbA==}]}\n';
    assert.deepEqual(codes(await find('a.yaml', binary)), ['error manifest-malformed']);
    const complex = 'apiVersion: v1\nkind: Pod\n? [a]\n: b\n';
    assert.deepEqual(codes(await find('a.yaml', complex)), ['error manifest-malformed']);
  });
  it('are faults: aliases that stand for more than is read, and one that stands in itself', async () => {
    const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]'];
    for (let at = 1; at < 9; at++)
      lines.push(
        `a${at}: &a${at} [${Array(10)
          .fill(`*a${at - 1}`)
          .join(',')}]`,
      );
    assert.deepEqual(codes(await find('bomb.yaml', `${lines.join('\n')}\n`)), ['error manifest-too-large']);
    assert.deepEqual(codes(await find('loop.yaml', 'a: &a {b: *a}\n')), ['error manifest-too-large']);
    assert.deepEqual(codes(await find('none.yaml', 'a: *nowhere\n')), ['error manifest-malformed']);
  });
  it('are faults: deeper or larger than is read', async () => {
    assert.deepEqual(codes(await find('deep.yaml', `${'{a: '.repeat(200)}1${'}'.repeat(200)}`)), [
      'error manifest-too-large',
    ]);
    for (const deep of [
      '['.repeat(20_000) + ']'.repeat(20_000),
      '- '.repeat(20_000),
      `${'{a: '.repeat(20_000)}1${'}'.repeat(20_000)}`,
    ])
      assert.deepEqual(codes(await find('deep.yaml', deep)), ['error manifest-too-large']);
    const bytes = new Uint8Array(MANIFEST_LIMITS.maxBytes + 1).fill(0x20);
    assert.deepEqual(codes(await findImages([{ name: 'big.yaml', bytes }])), ['error manifest-too-large']);
  });
  it('are faults: more images in one object than are judged, with its place', async () => {
    const containers = Array.from({ length: 501 }, () => '{image: "a:1"}').join(',');
    const found = await find('pod.yaml', `apiVersion: v1\nkind: Pod\nspec: {containers: [${containers}]}\n`);
    assert.deepEqual([found.images, faults(found)], [[], ['error manifest-too-large 1:1 ']]);
  });
  it('are faults: more images in all than are judged, and those before count', async () => {
    const text = `FROM a\n${'COPY --from=b:1 a b\n'.repeat(MANIFEST_LIMITS.maxImages)}`;
    const found = await find('Dockerfile', text);
    assert.equal(found.images.length, MANIFEST_LIMITS.maxImages);
    assert.deepEqual(codes(found), ['error manifest-too-large']);
  });
  it('end with images and faults, whatever they hold', async () => {
    const pieces = fc.constantFrom(
      'image: a:1',
      '\n',
      '- ',
      '  ',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '&a ',
      '*a',
      '<<: ',
      '|\n',
      '---\n',
      'apiVersion: v1\nkind: Pod\nspec:\n',
      'services:\n',
      'a:',
      '${A',
      'FROM ',
      '\\\n',
      '<<EOF',
      '# syntax=',
      '{{',
      '\t',
      '\uFEFF',
      '\0',
      ': ',
    );
    const names = fc.constantFrom('a.yaml', 'values.yaml', 'compose.yaml', 'kustomization.yaml', 'Dockerfile');
    await fc.assert(
      fc.asyncProperty(fc.array(pieces, { maxLength: 30 }), names, fc.boolean(), async (parts, name, met) => {
        const text = parts.join('');
        const { images, faults: all } = await findImages([file(name, text, met)]);
        for (const { span, place } of images) {
          assert.ok(span.start <= span.end && span.end <= text.length);
          assert.ok(place.line >= 1 && place.column >= 1);
        }
        for (const { message } of all) assert.doesNotMatch(message, /[\u0000-\u001f]/);
      }),
      { numRuns: 1500 },
    );
  });
});
