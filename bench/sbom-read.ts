// SPDX-License-Identifier: Apache-2.0

// `node bench/sbom-read.ts unpack|list DIR`: unpacks the layers of the image in a layout, or lists its packages. Prints one line of JSON.
// Its own process, so that its memory is its own.
import { createGunzip } from 'node:zlib';
import { Readable } from 'node:stream';
import { decodeManifest, openLayout } from '../src/oci/index.ts';
import { readImage } from '../src/sbom/index.ts';

/** What one run has shown. */
export interface ReadResult {
  readonly ms: number;
  /** of all the process */
  readonly peakMiB: number;
  readonly bytes: number;
  readonly packages: number;
}

if (import.meta.main) {
  const [mode = '', directory = ''] = process.argv.slice(2);
  const layout = await openLayout(directory);
  const begin = performance.now();
  let [bytes, packages] = [0, 0];
  if (mode === 'list') for await (const contents of readImage(layout, 'v1')) packages += contents.packages.length;
  else {
    const stored = await layout.manifest('v1');
    for (const { digest } of stored === undefined ? [] : decodeManifest(stored.bytes).layers) {
      const blob = await layout.openBlob(digest);
      const unpacked = Readable.from(blob?.body ?? []).pipe(createGunzip({ chunkSize: 256 * 1024 }));
      for await (const chunk of unpacked) bytes += (chunk as Uint8Array).length;
    }
  }
  const ms = performance.now() - begin;
  const result: ReadResult = { ms, peakMiB: process.resourceUsage().maxRSS / 1024, bytes, packages };
  console.log(JSON.stringify(result));
}
