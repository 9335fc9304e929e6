// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { bytesBlob, digestOf, MediaType, MemoryRepository, verifiedStream, type Repository } from '../oci/index.ts';
import { contentsOf, layerOf, putImage, recordedLayer, withBlobs, type LayerEntry } from './image.fixture.ts';
import type { FoundPackage, ImageContents } from './package.ts';
import { readImage, type ReadImageOptions } from './read-image.ts';

const manifest = (name: string, version = '1.0.0'): string => JSON.stringify({ name, version, license: 'MIT' });
const installed = (name: string, version?: string): LayerEntry => [
  `app/node_modules/${name}/package.json`,
  manifest(name, version),
];
const status = (...packages: readonly string[]): LayerEntry => [
  'var/lib/dpkg/status',
  packages.map((name) => `Package: ${name}\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n`).join('\n'),
];
const names = ({ packages }: ImageContents): string[] => packages.map(({ name }) => name);

async function all(repository: Repository, target: string, options?: ReadImageOptions): Promise<ImageContents[]> {
  const found: ImageContents[] = [];
  for await (const contents of readImage(repository, target, options)) found.push(contents);
  return found;
}

describe('layers upon layers', () => {
  it('a whiteout takes away a file of the layers below, and one in its own layer stays', async () => {
    const lower = await layerOf(installed('a'), installed('b'), installed('c'));
    const upper = await layerOf(
      ['app/node_modules/.wh.a', ''],
      ['app/node_modules/b/.wh.package.json', ''],
      installed('b', '2.0.0'),
    );
    const contents = await contentsOf([lower, upper]);
    assert.deepEqual(
      contents.packages.map(({ name, version }) => [name, version]),
      [
        ['b', '2.0.0'],
        ['c', '1.0.0'],
      ],
    );
  });

  it('an opaque folder hides what is below it, and not what its own layer has', async () => {
    const lower = await layerOf(installed('a'), installed('b'), ['etc/package.json', manifest('kept')]);
    const upper = await layerOf(installed('new'), ['app/node_modules/.wh..wh..opq', '']);
    assert.deepEqual(names(await contentsOf([lower, upper])), ['kept', 'new']);
  });

  it('a file in the place of a folder hides all that was in it', async () => {
    const lower = await layerOf(installed('a'), installed('b'));
    assert.deepEqual(names(await contentsOf([lower, await layerOf(['app/node_modules', 'a file'])])), []);
    const link = await layerOf(['app', { type: 'symlink', linkname: '/elsewhere' }]);
    assert.deepEqual(names(await contentsOf([lower, link])), []);
  });

  it('a folder in the place of a folder hides nothing', async () => {
    const lower = await layerOf(installed('a'));
    assert.deepEqual(names(await contentsOf([lower, await layerOf(['app/node_modules/', { type: 'directory' }])])), [
      'a',
    ]);
  });

  it('of two entries with one name the last counts', async () => {
    assert.deepEqual(
      names(await contentsOf([await layerOf(installed('a'), ['./app//node_modules/a/package.json', manifest('z')])])),
      ['z'],
    );
    const gone = await layerOf(installed('a'), ['app/node_modules/a/package.json', { type: 'symlink', linkname: 'x' }]);
    assert.deepEqual(names(await contentsOf([gone])), []);
  });

  it('a package is of the lowest layer since which it has been there without a gap', async () => {
    const layers = [
      await layerOf(status('base')),
      await layerOf(['unrelated', 'x']),
      await layerOf(status('base', 'curl')),
      await layerOf(status('curl')),
      await layerOf(status('base', 'curl')),
    ];
    const { packages, layers: named } = await contentsOf(layers);
    assert.deepEqual(
      packages.map(({ name, layer }) => [name, layer.index]),
      [
        ['base', 4],
        ['curl', 2],
      ],
    );
    assert.deepEqual(packages[1]?.layer, named[2]);
  });

  it('reads a hard link to a file whose name says nothing, by a second reading', async () => {
    const link = (name: string): LayerEntry => [name, { type: 'link', linkname: 'store/5f3c' }];
    const layer = await layerOf(
      ['store/5f3c', manifest('pnpm-made')],
      link('app/node_modules/x/package.json'),
      link('b/node_modules/x/package.json'),
    );
    const contents = await contentsOf([layer]);
    assert.deepEqual(contents.packages[0]?.locations, [
      '/app/node_modules/x/package.json',
      '/b/node_modules/x/package.json',
    ]);
    assert.deepEqual(contents.findings, []);
  });

  it('reads a hard link to a file that is known', async () => {
    const layer = await layerOf(installed('a'), [
      'b/node_modules/a/package.json',
      { type: 'link', linkname: 'app/node_modules/a/package.json' },
    ]);
    assert.equal((await contentsOf([layer])).packages[0]?.locations.length, 2);
  });

  it('tells of a hard link that leads nowhere', async () => {
    const layer = await layerOf(['app/node_modules/a/package.json', { type: 'link', linkname: 'nowhere' }]);
    const { findings } = await contentsOf([layer]);
    assert.deepEqual(
      findings.map(({ code, path }) => [code, path]),
      [['link-not-followed', '/app/node_modules/a/package.json']],
    );
  });

  it('follows no symbolic link, and says so of a package database', async () => {
    const layer = await layerOf(['var/lib/dpkg/status', { type: 'symlink', linkname: '../../../../../etc/passwd' }]);
    const { packages, findings } = await contentsOf([layer]);
    assert.deepEqual(packages, []);
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['link-not-followed'],
    );
  });
});

describe('a layer', () => {
  const layer = layerOf(installed('a'));
  for (const compression of ['gzip', 'zstd', 'none'] as const) {
    it(`is read with ${compression}`, async () => {
      assert.deepEqual(names(await contentsOf([await layer], { compression })), ['a']);
    });
  }

  it('of several gzip members is read to its end', async () => {
    const tar = await layer;
    const joined = Buffer.concat([gzipSync(tar.subarray(0, 600)), gzipSync(tar.subarray(600))]);
    assert.deepEqual(names(await contentsOf([joined])), ['a']);
  });

  it('is fetched once, and the image needs its manifest, its configuration and its layers only', async () => {
    const repository = new MemoryRepository('registry.example.com/team/app');
    const { digest } = await putImage(repository, [await layer, await layerOf(installed('b'))]);
    repository.calls.length = 0;
    await all(repository, digest);
    assert.deepEqual(
      repository.calls.map(({ method }) => method),
      ['manifest', 'blob', 'openBlob', 'openBlob'],
    );
  });

  for (const [what, bytes, code] of [
    ['gzip that is cut off', gzipSync(Buffer.alloc(5000, 'x')).subarray(0, 20), 'layer-malformed'],
    [
      'zstd that is cut off',
      zstdCompressSync(Buffer.from(Array.from({ length: 9000 }, (_, at) => (at * at) % 251))).subarray(0, 300),
      'layer-malformed',
    ],
    ['xz', Buffer.from('fd377a585a0000', 'hex'), 'layer-unsupported'],
    ['no archive', Buffer.alloc(1024, 'x'), 'layer-malformed'],
  ] as const) {
    it(`that is ${what} is an error`, async () => {
      await assert.rejects(contentsOf([bytes], { compression: 'none' }), { code });
    });
  }

  it('that ends within an entry is an error', async () => {
    const tar = await layerOf(['var/lib/dpkg/status', 'x'.repeat(5000)]);
    for (const end of [100, 513, 2000, 5500]) {
      await assert.rejects(contentsOf([tar.subarray(0, end)]), {
        code: 'layer-malformed',
        message: /ends within an entry/,
      });
    }
  });

  for (const name of ['../etc/passwd', 'a/../../etc/passwd', '/../x', '..']) {
    it(`with the path ${name} is an error that names it`, async () => {
      await assert.rejects(contentsOf([await layerOf([name, 'x'])]), {
        code: 'path-climbs',
        message: /layer 1 of 1 .*leads out of the image/,
      });
    });
  }

  it('with a hard link that climbs is an error', async () => {
    const climbing = await layerOf(['app/node_modules/a/package.json', { type: 'link', linkname: '../../x' }]);
    await assert.rejects(contentsOf([climbing]), { code: 'path-climbs' });
  });

  it('reads a path that climbs no further than the root', async () => {
    assert.deepEqual(
      names(await contentsOf([await layerOf(['x/../app/node_modules/a/package.json', manifest('a')])])),
      ['a'],
    );
  });

  it('that is not what its digest says is an error, whatever was read before', async () => {
    const repository = new MemoryRepository('registry.example.com/team/app');
    const good = gzipSync(await layer);
    const { digest } = await putImage(repository, [good]);
    for (const lie of [gzipSync(await layerOf(installed('evil'))), Buffer.concat([good, Buffer.from('garbage')])]) {
      const lying = withBlobs(repository, (asked) => {
        const expected = { digest: asked, size: lie.length };
        const chunks = (async function* (): AsyncGenerator<Uint8Array> {
          yield lie;
        })();
        return Promise.resolve({ size: good.length, body: verifiedStream(chunks, expected, 'the blob') });
      });
      await assert.rejects(all(lying, digest), { code: 'digest-mismatch' });
    }
  });
});

describe('an image that is a bomb', () => {
  for (const [what, limits, message] of [
    ['in one layer', { layerBytes: 100_000 }, /layer 1 .*unpacks to more than 100000 bytes/],
    ['in all layers', { imageBytes: 300_000 }, /layer 2 .*unpack to more than 300000 bytes/],
  ] as const) {
    for (const compression of ['gzip', 'zstd'] as const) {
      it(`of bytes ${what} ends, with ${compression}`, async () => {
        const bomb = await layerOf(['zeros', Buffer.alloc(200_000)]);
        await assert.rejects(contentsOf([bomb, bomb], { compression }, { limits }), { code: 'too-large', message });
      });
    }
  }

  for (const [what, entries, limits] of [
    ['entries', Array.from({ length: 30 }, (_, at): LayerEntry => [`f${at}`, '']), { entries: 20 }],
    ['a name', [['n'.repeat(5000), ''] as LayerEntry], {}],
    ['folders', [[`${'a/'.repeat(300)}x`, ''] as LayerEntry], {}],
    ['packages', Array.from({ length: 30 }, (_, at) => installed(`p${at}`)), { packages: 20 }],
    ['what is kept', Array.from({ length: 300 }, (_, at) => installed(`p${at}`)), { keptBytes: 20_000 }],
  ] as const) {
    it(`of ${what} ends`, async () => {
      await assert.rejects(contentsOf([await layerOf(...entries)], {}, { limits }), { code: 'too-large' });
    });
  }

  it('of a name that no memory holds ends before it is read', async () => {
    const header = (await layerOf(['x', 'y'])).subarray(0, 512);
    header.write('L', 156);
    header.write('77777777777\0', 124);
    header.fill(0x20, 148, 156);
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
    await assert.rejects(contentsOf([header]), { code: 'too-large' });
  });

  it('by a package file is a finding, and the rest is read', async () => {
    const big: LayerEntry = ['app/node_modules/big/package.json', Buffer.alloc(200_000, ' ')];
    const { packages, findings } = await contentsOf(
      [await layerOf(big, installed('a'))],
      {},
      { limits: { fileBytes: 100_000 } },
    );
    assert.deepEqual(
      packages.map(({ name }) => name),
      ['a'],
    );
    assert.deepEqual(
      findings.map(({ code, path }) => [code, path]),
      [['file-too-large', '/app/node_modules/big/package.json']],
    );
  });

  it('of broken files tells the first thousand', async () => {
    const broken = Array.from({ length: 1200 }, (_, at): LayerEntry => [`a/node_modules/p${at}/package.json`, 'no']);
    const { findings } = await contentsOf([await layerOf(...broken)]);
    assert.equal(findings.length, 1001);
    assert.deepEqual(findings.at(-1)?.code, 'too-many');
  });
});

describe('a large image', () => {
  it('of 100,000 packages is listed', async () => {
    const text = Array.from({ length: 100_000 }, (_, at) => `Package: p${at}\nVersion: 1.${at}\n`).join('\n');
    const { packages } = await contentsOf([await layerOf(['var/lib/dpkg/status', text])]);
    assert.equal(packages.length, 100_000);
  });

  it('ends where it is told to', async () => {
    const repository = new MemoryRepository('registry.example.com/team/app');
    const { digest } = await putImage(repository, [await layerOf(installed('a'))]);
    const reason = new Error('enough');
    await assert.rejects(all(repository, digest, { signal: AbortSignal.abort(reason) }), reason);
  });
});

describe('an index', () => {
  const repository = new MemoryRepository('registry.example.com/team/app');
  const platforms = [
    ['amd64', undefined],
    ['arm', 'v7'],
    ['arm64', 'v8'],
  ] as const;
  const made = (async () => {
    const manifests: object[] = [];
    for (const [architecture, variant] of platforms) {
      const descriptor = await putImage(repository, [await layerOf(installed(`for-${architecture}`))], {
        config: { architecture },
      });
      manifests.push({
        ...descriptor,
        platform: { os: 'linux', architecture, ...(variant === undefined ? {} : { variant }) },
      });
    }
    manifests.push({
      ...(manifests[0] as object),
      platform: { os: 'unknown', architecture: 'unknown' },
      digest: digestOf(Buffer.from('provenance')),
    });
    const index = { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests };
    await repository.putManifest(Buffer.from(JSON.stringify(index)), MediaType.imageIndex, { tag: 'multi' });
  })();

  it('is read a platform at a time, and what is for none is no image', async () => {
    await made;
    const found = await all(repository, 'multi');
    assert.deepEqual(
      found.map((one) => [one.platform.architecture, names(one)[0]]),
      platforms.map(([arch]) => [arch, `for-${arch}`]),
    );
  });

  it('is read for one platform, of which only the blobs are fetched', async () => {
    await made;
    repository.calls.length = 0;
    assert.deepEqual(
      (await all(repository, 'multi', { platform: 'linux/arm64' })).map((one) => names(one)[0]),
      ['for-arm64'],
    );
    assert.deepEqual(
      repository.calls.map(({ method }) => method),
      ['manifest', 'manifest', 'blob', 'openBlob'],
    );
    assert.equal((await all(repository, 'multi', { platform: 'linux/arm/v7' })).length, 1);
  });

  it('without the platform says which there are', async () => {
    await made;
    const expected = {
      code: 'platform-missing',
      message: /no image for linux\/s390x, only for linux\/amd64, linux\/arm\/v7, linux\/arm64\/v8/,
    };
    await assert.rejects(all(repository, 'multi', { platform: 'linux/s390x' }), expected);
    await assert.rejects(all(repository, 'multi', { platform: 'arm64' }), {
      code: 'platform-missing',
      message: /is no platform/,
    });
  });

  it('that holds itself, or indexes without end, ends', async () => {
    const nested = new MemoryRepository('registry.example.com/team/app');
    let bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [] }));
    for (let depth = 0; depth < 6; depth++) {
      const { descriptor } = await nested.putManifest(bytes, MediaType.imageIndex, { tag: 'deep' });
      bytes = Buffer.from(
        JSON.stringify({ schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [descriptor] }),
      );
    }
    await assert.rejects(all(nested, 'deep'), { code: 'too-large', message: /levels deep/ });
  });
});

describe('what is no image', () => {
  it('is missing', async () => {
    await assert.rejects(all(new MemoryRepository('registry.example.com/team/app'), 'v1'), { code: 'image-missing' });
  });

  it('is an artifact', async () => {
    const repository = new MemoryRepository('registry.example.com/team/app');
    const empty = Buffer.from('{}');
    await repository.putBlob(bytesBlob(empty));
    const config = { mediaType: MediaType.empty, digest: digestOf(empty), size: 2 };
    const artifact = {
      schemaVersion: 2,
      mediaType: MediaType.imageManifest,
      artifactType: 'text/x',
      config,
      layers: [config],
    };
    await repository.putManifest(Buffer.from(JSON.stringify(artifact)), MediaType.imageManifest, { tag: 'v1' });
    await assert.rejects(all(repository, 'v1'), { code: 'not-an-image', message: /artifact of type "text\/x"/ });
  });

  it('lacks a layer', async () => {
    const repository = new MemoryRepository('registry.example.com/team/app');
    const { digest } = await putImage(repository, [await layerOf(installed('a'))]);
    const lacking = withBlobs(repository, () => Promise.resolve(undefined));
    await assert.rejects(all(lacking, digest), { code: 'content-missing' });
  });
});

it('real packages of a Debian image are attributed: licences, sources, owners', async () => {
  const { packages } = await contentsOf([
    recordedLayer('debian/layer.tar.gz'),
    await layerOf([
      'usr/lib/python3/dist-packages/PyYAML-6.0.dist-info/METADATA',
      'Metadata-Version: 2.1\nName: PyYAML\nVersion: 6.0\nLicense: MIT\n',
    ]),
  ]);
  const find = (name: string): FoundPackage | undefined => packages.find((one) => one.name === name);
  assert.match(
    find('libcurl4')?.purl ?? '',
    /^pkg:deb\/debian\/libcurl4@7\.88\.1-10%2Bdeb12u14\?arch=amd64&distro=debian-12&upstream=curl$/,
  );
  assert.deepEqual(find('libgcc-s1')?.licences, find('gcc-12-base')?.licences, 'its documentation is a link');
  assert.ok((find('gcc-12-base')?.licences.length ?? 0) > 0);
  assert.equal(find('PyYAML')?.owner, find('python3-yaml')?.purl);
  assert.equal(find('PyYAML')?.layer.index, 1);
});
