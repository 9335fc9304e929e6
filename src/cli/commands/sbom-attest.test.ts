// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { copyImage, MediaType, MemoryRepository, type Digest } from '../../oci/index.ts';
import { serveRegistry, type RunningRegistry } from '../../registry/index.ts';
import { layerOf, putImage, type LayerEntry } from '../../sbom/image.fixture.ts';
import { runRecorded, type Ran, type RecordingHostOptions } from '../recording-host.fixture.ts';

const installed = (name: string): LayerEntry => [
  `srv/node_modules/${name}/package.json`,
  JSON.stringify({ name, version: '1.0.0', license: 'MIT' }),
];

let cwd: string;
let registry: RunningRegistry;
let host: string;
const digests = new Map<string, Digest>();
before(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'bulla-sbom-attest-'));
  registry = await serveRegistry({ data: join(cwd, 'registry'), port: 0, mutable: ['**:sha256-*'] });
  host = new URL(registry.url).host;
  const source = new MemoryRepository('source');
  const manifests = [];
  for (const architecture of ['amd64', 'arm64']) {
    const config = { architecture, created: '2024-02-03T04:05:06Z' };
    const descriptor = await putImage(source, [await layerOf(installed(architecture))], { config, tag: architecture });
    manifests.push({ ...descriptor, platform: { os: 'linux', architecture } });
    digests.set(architecture, descriptor.digest);
  }
  const index = { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests };
  await source.putManifest(Buffer.from(JSON.stringify(index)), MediaType.imageIndex, { tag: 'multi' });
  for (const name of ['app', 'file', 'plain', 'other'])
    for (const tag of ['multi', 'amd64']) await copyImage(source, registry.repository(`team/${name}`), tag, { tag });
  for (const prefix of ['us', 'them'])
    assert.equal((await run(['generate-key-pair', '--output-key-prefix', prefix])).code, 0);
});
after(async () => {
  await registry.close();
  rmSync(cwd, { recursive: true, force: true });
});

const run = (argv: readonly string[], options: RecordingHostOptions = {}): Promise<Ran> =>
  runRecorded(argv, { cwd, env: { HOME: cwd, DOCKER_CONFIG: cwd, COSIGN_PASSWORD: '' }, ...options });
const VERIFY = ['--key', 'us.pub', '--insecure-ignore-tlog'];

interface Spdx {
  readonly spdxVersion: string;
  readonly packages: readonly { readonly name: string }[];
}
const namesOf = (text: string): readonly string[] => (JSON.parse(text) as Spdx).packages.map(({ name }) => name);

describe('sbom --attest and sbom get', () => {
  it('attest the document of each platform beside the image of that platform, and get it back verified', async () => {
    const image = `${host}/team/app:multi`;
    const attested = await run(['sbom', '--attest', '--key', 'us.key', '--tlog-upload=false', '--yes', image]);
    assert.equal(attested.code, 0, attested.stderr);
    const expected = ['amd64', 'arm64'].map((one) => `${host}/team/app@${digests.get(one)}\n`);
    assert.equal(attested.stdout, expected.join(''));
    for (const architecture of ['amd64', 'arm64']) {
      const got = await run(['sbom', 'get', ...VERIFY, '--platform', `linux/${architecture}`, image]);
      assert.equal(got.code, 0, got.stderr);
      assert.ok(namesOf(got.stdout).includes(architecture));
      assert.match(got.stderr, /^Verified: https:\/\/spdx\.dev\/Document of sha256:/m);
      const written = await run(['sbom', '--output', 'spdx-json', '--platform', `linux/${architecture}`, image]);
      assert.deepEqual(JSON.parse(got.stdout), JSON.parse(written.stdout));
    }
    const ofIndex = await run(['sbom', 'get', ...VERIFY, image]);
    assert.equal(ofIndex.code, 10, ofIndex.stdout);
    assert.equal(ofIndex.stdout, '');
  });

  it('print nothing of what somebody else has signed', async () => {
    const image = `${host}/team/app@${digests.get('amd64')}`;
    const got = await run(['sbom', 'get', '--key', 'them.pub', '--insecure-ignore-tlog', image]);
    assert.equal(got.code, 12);
    assert.equal(got.stdout, '');
  });

  it('choose between kinds of SBOM, and pass over what is attested and none', async () => {
    const image = `${host}/team/other:amd64`;
    writeFileSync(join(cwd, 'custom.json'), '{"a":1}');
    const seal = ['--key', 'us.key', '--tlog-upload=false', '--yes'];
    assert.equal((await run(['attest', ...seal, '--predicate', 'custom.json', image])).code, 0);
    const none = await run(['sbom', 'get', ...VERIFY, image]);
    assert.equal(none.code, 12);
    assert.match(none.stderr, /cosign\.sigstore\.dev\/attestation\/v1/);
    assert.equal((await run(['sbom', '--attest', '--output', 'cyclonedx-json', ...seal, image])).code, 0);
    const any = await run(['sbom', 'get', ...VERIFY, image]);
    assert.equal((JSON.parse(any.stdout) as { readonly bomFormat: string }).bomFormat, 'CycloneDX');
    assert.equal((await run(['sbom', 'get', ...VERIFY, '--type', 'spdx', image])).code, 12);
    const json = await run(['sbom', 'get', '--json', ...VERIFY, '--type', 'cyclonedx', image]);
    const [answer] = (JSON.parse(json.stdout) as Document).images;
    assert.equal(answer?.outcome, 'trusted');
    assert.equal(answer.seals[0]?.predicateType, 'https://cyclonedx.org/bom');
    assert.equal(answer.seals[0]?.statement.predicate.bomFormat, 'CycloneDX');
  });

  it('refuse what makes no sense', async () => {
    for (const [argv, message] of [
      [['sbom', '--key', 'us.key', `${host}/team/app:amd64`], /--key is about signing: say --attest/],
      [['sbom', '--attest', '--output', 'table', '--key', 'us.key', `${host}/team/app:amd64`], /signs a document/],
      [['sbom', 'get', `${host}/team/app:amd64`], /--key is required/],
      [
        ['sbom', 'get', '--unsigned', '--key', 'us.pub', `${host}/team/app:amd64`],
        /--unsigned verifies nothing: leave --key out/,
      ],
    ] as const) {
      const ran = await run(argv);
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, message);
    }
  });
});

interface Document {
  readonly images: readonly {
    readonly outcome: string;
    readonly seals: readonly {
      readonly predicateType: string;
      readonly statement: { readonly predicate: { readonly bomFormat: string } };
    }[];
  }[];
}

describe('sbom attach', () => {
  it('attests a file of any program as what it says it is', async () => {
    const image = `${host}/team/file:amd64`;
    const seal = ['--key', 'us.key', '--tlog-upload=false', '--yes'];
    for (const [text, type] of [
      [
        '{"spdxVersion":"SPDX-2.3","dataLicense":"CC0-1.0","SPDXID":"SPDXRef-DOCUMENT","name":"n","documentNamespace":"https://e.example/n","creationInfo":{"created":"2024-01-01T00:00:00Z","creators":["Tool: t"]},"packages":[]}',
        'spdx',
      ],
      ['{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":[]}', 'cyclonedx'],
    ] as const) {
      writeFileSync(join(cwd, 'their.json'), text);
      const attached = await run(['sbom', 'attach', ...seal, '--sbom', 'their.json', image]);
      assert.equal(attached.code, 0, attached.stderr);
      assert.equal(attached.stdout, `${host}/team/file@${digests.get('amd64')}\n`);
      const got = await run(['sbom', 'get', ...VERIFY, '--type', type, image]);
      assert.deepEqual(JSON.parse(got.stdout), JSON.parse(text));
    }
    const text = 'SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\n';
    const typed = await run(
      ['sbom', 'attach', ...seal, '--format', 'legacy', '--sbom', '-', `${host}/team/file:multi`],
      { stdin: text },
    );
    assert.equal(typed.code, 0, typed.stderr);
    assert.equal((await run(['sbom', 'get', ...VERIFY, `${host}/team/file:multi`])).stdout, text);
  });

  it('refuses what is no SBOM, and what there is no attestation of', async () => {
    for (const [text, message] of [
      ['{"hello":1}', /is no SBOM that is known/],
      [
        '<bom xmlns="http://cyclonedx.org/schema/bom/1.6"/>',
        /cyclonedx-xml, for which there is no kind of attestation/,
      ],
    ] as const) {
      writeFileSync(join(cwd, 'strange'), text);
      const ran = await run([
        'sbom',
        'attach',
        '--key',
        'us.key',
        '--yes',
        '--sbom',
        'strange',
        `${host}/team/file:amd64`,
      ]);
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, message);
    }
  });

  it('lays a file there unsigned only where it is asked to, and get prints it only where it is asked to; both say so', async () => {
    const image = `${host}/team/plain:amd64`;
    const text = '<bom xmlns="http://cyclonedx.org/schema/bom/1.6"/>';
    writeFileSync(join(cwd, 'bom.xml'), text);
    const attached = await run(['sbom', 'attach', '--unsigned', '--sbom', 'bom.xml', image]);
    assert.equal(attached.code, 0, attached.stderr);
    assert.match(attached.stderr, /^WARNING: this SBOM is not signed/m);
    const verified = await run(['sbom', 'get', ...VERIFY, image]);
    assert.notEqual(verified.code, 0);
    assert.equal(verified.stdout, '');
    const got = await run(['sbom', 'get', '--unsigned', image]);
    assert.equal(got.code, 0, got.stderr);
    assert.equal(got.stdout, text);
    assert.match(got.stderr, /^WARNING: this SBOM is not signed/m);
    const json = JSON.parse((await run(['sbom', 'get', '--json', '--unsigned', image])).stdout) as {
      readonly verified: boolean;
      readonly mediaType: string;
      readonly warnings: readonly string[];
    };
    assert.deepEqual(
      [json.verified, json.mediaType, json.warnings.length],
      [false, 'application/vnd.cyclonedx+xml', 1],
    );
    const none = await run(['sbom', 'get', '--unsigned', `${host}/team/app:multi`]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /no SBOM attached to/);
  });
});

describe('attach and download sbom', () => {
  it('use the .sbom tag, or a referrer, and say that nobody vouches for it', async () => {
    const image = `${host}/team/plain:multi`;
    writeFileSync(join(cwd, 'a.spdx'), 'SPDXVersion: SPDX-2.3\n');
    writeFileSync(join(cwd, 'b.json'), '{"spdxVersion":"SPDX-2.3"}');
    const first = await run(['attach', 'sbom', '--sbom', 'a.spdx', image]);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stderr, /^WARNING: this SBOM is not signed/m);
    assert.match(first.stderr, /with mediaType \[text\/spdx\]/);
    assert.equal((await run(['download', 'sbom', image])).stdout, 'SPDXVersion: SPDX-2.3\n');
    const second = await run(['attach', 'sbom', '--json', '--sbom', 'b.json', image]);
    const { warnings, mediaType, tag } = JSON.parse(second.stdout) as {
      readonly warnings: readonly string[];
      readonly mediaType: string;
      readonly tag: string;
    };
    assert.equal(mediaType, 'text/spdx+json');
    assert.match(tag, /^sha256-[0-9a-f]{64}\.sbom$/);
    assert.match(warnings.join(), /lay under the tag before/);
    const referrer = ['attach', 'sbom', '--sbom', 'a.spdx', '--registry-referrers-mode', 'oci-1-1', image];
    assert.equal((await run(referrer)).code, 0);
    const downloaded = await run(['download', 'sbom', image]);
    assert.equal(downloaded.stdout, readFileSync(join(cwd, 'b.json'), 'utf8'));
    assert.match(downloaded.stderr, /2 SBOMs lie beside the image/);
  });

  it('refuse kinds and forms in the words of cosign', async () => {
    for (const [argv, message] of [
      [['--type', 'cyclonedx', '--input-format', 'text'], /invalid SBOM input format: "text", expected \(json\|xml\)/],
      [['--type', 'swid'], /unknown SBOM type: swid/],
    ] as const) {
      const ran = await run(['attach', 'sbom', '--sbom', 'b.json', ...argv, `${host}/team/plain:multi`]);
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, message);
    }
    assert.equal((await run(['attach', 'sbom', `${host}/team/plain:multi`])).code, 1);
    writeFileSync(join(cwd, 'empty.json'), '');
    const empty = await run(['attach', 'sbom', '--sbom', 'empty.json', `${host}/team/plain:multi`]);
    assert.deepEqual([empty.code, empty.stderr], [1, 'Error: empty.json is empty, expected an SBOM\n']);
  });
});

describe('attach attestation and signature', () => {
  const seal = ['--key', 'us.key', '--tlog-upload=false', '--yes'];

  it('lay there what was made elsewhere, so that it verifies', async () => {
    const image = `${host}/team/other:multi`;
    const made = [
      ['sign', ...seal, '--upload=false', '--bundle', 'sig.json', image],
      [
        'attest',
        ...seal,
        '--no-upload',
        '--bundle',
        'att.json',
        '--type',
        'custom',
        '--predicate',
        'custom.json',
        image,
      ],
    ];
    for (const argv of made) assert.equal((await run(argv)).code, 0);
    const legacy = await run([
      'attest',
      ...seal,
      '--no-upload',
      '--format',
      'legacy',
      '--type',
      'link',
      '--predicate',
      'custom.json',
      image,
    ]);
    const vuln = await run([
      'attest',
      ...seal,
      '--no-upload',
      '--format',
      'legacy',
      '--type',
      'vuln',
      '--predicate',
      'custom.json',
      image,
    ]);
    writeFileSync(join(cwd, 'envelopes.jsonl'), legacy.stdout + vuln.stdout);
    assert.notEqual((await run(['verify', ...VERIFY, image])).code, 0);
    for (const argv of [
      ['attach', 'signature', '--bundle', 'sig.json', image],
      ['attach', 'attestation', '--attestation', 'att.json,envelopes.jsonl', image],
    ])
      assert.equal((await run(argv)).code, 0, argv.join(' '));
    assert.equal((await run(['verify', ...VERIFY, image])).code, 0);
    for (const type of ['custom', 'link', 'vuln'])
      assert.equal((await run(['verify-attestation', ...VERIFY, '--type', type, image])).code, 0, type);
    const again = await run(['attach', 'attestation', '--json', '--attestation', 'envelopes.jsonl', image]);
    const { attached } = JSON.parse(again.stdout) as { readonly attached: readonly { readonly existed: boolean }[] };
    assert.deepEqual(
      attached.map(({ existed }) => existed),
      [true, true],
    );
  });

  it('refuse what is about another image, and what is nothing of the kind', async () => {
    const other = `${host}/team/other:amd64`;
    writeFileSync(
      join(cwd, 'payload.json'),
      '{"critical":{"identity":{"docker-reference":"x"},"image":{"docker-manifest-digest":"sha256:00"},"type":"cosign container image signature"},"optional":null}',
    );
    for (const [argv, message] of [
      [['attestation', '--attestation', 'att.json'], /no subject with the digest/],
      [['attestation', '--attestation', 'envelopes.jsonl'], /no subject with the digest/],
      [['attestation', '--attestation', 'custom.json'], /the attestation/],
      [['attestation', '--attestation', 'nowhere.json'], /no such file/],
      [['attestation'], /required flag\(s\) "attestation" not set/],
      [['signature', '--bundle', 'sig.json'], /no subject with the digest/],
      [['signature', '--bundle', 'sig.json', '--signature', 'x'], /leave --signature out/],
      [['signature', '--signature', 'AAAA', '--payload', 'payload.json'], /the payload is about sha256:00/],
      [['signature', '--signature', 'not base64!'], /the signature/],
      [['signature', '--signature', 'AAAA', '--certificate', 'custom.json'], /custom\.json/],
      [['signature', '--signature', 'AAAA', '--rekor-response', 'custom.json'], /custom\.json/],
      [['signature'], /one of --signature and --bundle is required/],
    ] as const) {
      const ran = await run(['attach', ...argv, other]);
      assert.equal(ran.code, 1, argv.join(' '));
      assert.match(ran.stderr, message, argv.join(' '));
    }
    const image = `${host}/team/other:multi`;
    const attestation = await run(['attach', 'signature', '--bundle', 'att.json', image]);
    assert.match(attestation.stderr, /is no signature: use attach attestation/);
  });
});
