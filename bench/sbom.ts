// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack, type Pack } from 'tar-stream';
import { bytesBlob, DigestStream, digestOf, MediaType, openLayout } from '../src/oci/index.ts';
import type { Table } from './report.ts';
import type { ReadResult } from './sbom-read.ts';

const LAYER_BYTES = 1024 ** 3;
const ROUNDS = 3;

/**
 * Lists an image of 1 GiB in a layout, beside unpacking its layer and doing nothing with it. The layer is what images are made of: many
 * small files, a few large programs, package databases.
 */
export async function sbomBench(): Promise<readonly Table[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bulla-bench-sbom-'));
  try {
    await writeImage(folder);
    const runs = Array.from({ length: ROUNDS }, () => ({ unpack: read('unpack', folder), list: read('list', folder) }));
    const median = (mode: 'unpack' | 'list'): ReadResult =>
      runs.map((run) => run[mode]).toSorted((a, b) => a.ms - b.ms)[Math.floor(ROUNDS / 2)] as ReadResult;
    const [unpack, list] = [median('unpack'), median('list')];
    const row = (name: string, { ms, peakMiB }: ReadResult, goal?: string): Table['rows'][number] => ({
      name,
      values: [ms, peakMiB],
      ratio: ms / unpack.ms,
      goal,
    });
    return [
      {
        title: `sbom of an image of 1 GiB, ${list.packages} packages`,
        columns: ['ms', 'peak MiB'],
        rows: [
          row('its layer read, checked and unpacked', unpack),
          row('bulla/sbom', list, 'at most 1.5 times, 300 MiB'),
        ],
        notes: [`Medians of ${ROUNDS} paired rounds, each a process; memory is that of the whole process.`],
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function read(mode: 'unpack' | 'list', folder: string): ReadResult {
  const script = join(import.meta.dirname, 'sbom-read.ts');
  const { stdout, stderr, status } = spawnSync(process.execPath, [script, mode, join(folder, 'layout')], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${script} ${mode} failed: ${stderr}`);
  return JSON.parse(stdout) as ReadResult;
}

async function writeImage(folder: string): Promise<void> {
  const file = join(folder, 'layer.tar.gz');
  const archive = pack();
  await Promise.all([
    writeEntries(archive),
    pipeline(archive, createGzip({ level: 4, chunkSize: 256 * 1024 }), createWriteStream(file)),
  ]);
  const digest = new DigestStream();
  for await (const chunk of createReadStream(file)) digest.update(chunk as Uint8Array);
  const layer = { digest: digest.digest(), size: statSync(file).size };
  const layout = await openLayout(join(folder, 'layout'), { create: true });
  await layout.putBlob({ ...layer, open: () => createReadStream(file) });
  const config = Buffer.from('{"os":"linux","architecture":"amd64"}');
  await layout.putBlob(bytesBlob(config));
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    config: { mediaType: MediaType.imageConfig, digest: digestOf(config), size: config.length },
    layers: [{ mediaType: MediaType.imageLayerGzip, ...layer }],
  };
  await layout.putManifest(Buffer.from(JSON.stringify(manifest)), MediaType.imageManifest, { tag: 'v1' });
  rmSync(file);
}

async function writeEntries(archive: Pack): Promise<void> {
  const entry = (name: string, contents: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      archive.entry({ name, mode: 0o755 }, contents, (error) => (error ? reject(error) : resolve()));
    });
  const packages = Array.from(
    { length: 500 },
    (_, at) => `Package: lib${at}\nStatus: install ok installed\nVersion: 1.${at}\nArchitecture: amd64\n`,
  );
  await entry('var/lib/dpkg/status', Buffer.from(packages.join('\n')));
  const program = readFileSync(process.execPath);
  const text = readFileSync(join(import.meta.dirname, '../package-lock.json'));
  let written = 0;
  for (let at = 0; written < LAYER_BYTES; at++) {
    // a program for every few thousand small files, each of another size and beginning
    const large = at % 3000 === 0;
    const start = (at * 7919) % (text.length / 2);
    const contents = large
      ? program
      : Buffer.concat([Buffer.from(`${at}\n`), text.subarray(start, start + 2000 + ((at * 31) % 30_000))]);
    await entry(large ? `usr/bin/program${at}` : `usr/share/files/${at % 97}/file${at}.txt`, contents);
    if (at % 20 === 0)
      await entry(
        `srv/node_modules/module${at}/package.json`,
        Buffer.from(JSON.stringify({ name: `module${at}`, version: '1.0.0', license: 'MIT' })),
      );
    written += contents.length;
  }
  archive.finalize();
}
