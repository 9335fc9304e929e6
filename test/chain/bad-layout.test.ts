// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { signImage } from '../../src/image/index.ts';
import { decodeManifest, openLayout, type Digest } from '../../src/oci/index.ts';
import { assertRefused, assertRefusedJson } from './refusal.ts';
import { writeImage } from './scene.ts';
import { openSetting, type Setting } from './setting.ts';

// A folder that is no layout, or whose content is not what it says, is refused by name; what it holds besides is left as it was.

let setting: Setting;
let image: Digest;
let seal: Digest;
let bundle: Digest;
before(async () => {
  setting = await openSetting();
  const layout = await openLayout(join(setting.machine.work, 'good'), { create: true });
  image = (await writeImage(layout, 'hello', 'v1')).digest;
  await signImage(layout, image, { signer: setting.keys.signer, now: new Date() });
  seal = (await layout.referrers(image)).descriptors[0]?.digest ?? image;
  const stored = await layout.manifest(seal);
  bundle = decodeManifest(stored?.bytes ?? new Uint8Array()).layers[0]?.digest ?? image;
});
after(() => setting[Symbol.asyncDispose]());

/** Where a layout keeps something. */
function blob(folder: string, digest: Digest): string {
  return join(folder, 'blobs', 'sha256', digest.slice('sha256:'.length));
}

interface Case {
  /** done to a copy of the good layout */
  readonly damage: (folder: string) => void;
  readonly verify: readonly [code: number, says: RegExp];
  /** where sealing fails too */
  readonly sign?: readonly [code: number, says: RegExp];
}

const NO_LAYOUT = (says: RegExp): Pick<Case, 'verify' | 'sign'> => ({ verify: [1, says], sign: [1, says] });

const CASES: Readonly<Record<string, Case>> = {
  'is not there': {
    damage: (folder) => rmSync(folder, { recursive: true }),
    ...NO_LAYOUT(/copy' is no OCI layout: there is no such directory$/),
  },
  'is a file': {
    damage(folder) {
      rmSync(folder, { recursive: true });
      writeFileSync(folder, '');
    },
    ...NO_LAYOUT(/copy' is no OCI layout: it is no directory$/),
  },
  'has no oci-layout': {
    damage: (folder) => rmSync(join(folder, 'oci-layout')),
    ...NO_LAYOUT(/there is no oci-layout file$/),
  },
  'has an oci-layout that is no JSON': {
    damage: (folder) => writeFileSync(join(folder, 'oci-layout'), 'x'),
    ...NO_LAYOUT(/oci-layout is not JSON/),
  },
  'is of another version': {
    damage: (folder) => writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"9.0.0"}'),
    ...NO_LAYOUT(/oci-layout says '9\.0\.0' for imageLayoutVersion, expected 1\.0\.0$/),
  },
  'has no index': { damage: (folder) => rmSync(join(folder, 'index.json')), ...NO_LAYOUT(/there is no index\.json$/) },
  'has half an index': {
    damage: (folder) => truncateSync(join(folder, 'index.json'), 20),
    ...NO_LAYOUT(/its index\.json is malformed: .* is not JSON/),
  },
  'has an index that is a list': {
    damage: (folder) => writeFileSync(join(folder, 'index.json'), '[]'),
    ...NO_LAYOUT(/its index\.json is malformed/),
  },
  'has an index of a gibibyte': {
    damage: (folder) => truncateSync(join(folder, 'index.json'), 2 ** 30),
    ...NO_LAYOUT(/index\.json' has 1073741824 bytes, at most 4194304 are read$/),
  },
  'has an index that is a folder': {
    damage(folder) {
      rmSync(join(folder, 'index.json'));
      mkdirSync(join(folder, 'index.json'));
    },
    ...NO_LAYOUT(/'index\.json' is no regular file$/),
  },
  'has an index that waits for a writer': {
    damage(folder) {
      rmSync(join(folder, 'index.json'));
      spawnSync('mkfifo', [join(folder, 'index.json')]);
    },
    ...NO_LAYOUT(/'index\.json' is no regular file$/),
  },
  'leads out of itself': {
    damage(folder) {
      renameSync(join(folder, 'blobs'), `${folder}-blobs`);
      symlinkSync(`${folder}-blobs`, join(folder, 'blobs'));
    },
    verify: [2, /leads out of the layout \[layout-malformed\]$/],
    sign: [1, /leads out of the layout$/],
  },
  'lacks its image': {
    damage: (folder) => rmSync(blob(folder, image)),
    verify: [11, /^Error: image tag not found: oci-layout:copy:v1: copy has no such image$/],
    sign: [11, /^Error: copy has no tag 'v1'$/],
  },
  'has another image under the digest': {
    damage: (folder) => writeFileSync(blob(folder, image), '{}'),
    verify: [2, /sha256:[0-9a-f]{64} has 2 bytes, index\.json says \d+ \[size-mismatch\]$/],
    sign: [1, /sha256:[0-9a-f]{64} has 2 bytes, index\.json says \d+$/],
  },
  'lacks the bundle of its seal': {
    damage: (folder) => rmSync(blob(folder, bundle)),
    verify: [12, /one seal was found, and it is not accepted$/],
  },
  'has another bundle under the digest': {
    damage: (folder) => writeFileSync(blob(folder, bundle), '{}'),
    verify: [2, /sha256:[0-9a-f]{64}.*\[(?:digest|size)-mismatch\]$/],
  },
  'has a bundle that leads out of it': {
    damage(folder) {
      rmSync(blob(folder, bundle));
      symlinkSync('/etc/passwd', blob(folder, bundle));
    },
    verify: [2, /leads out of the layout \[layout-malformed\]$/],
  },
  'has a bundle that waits for a writer': {
    damage(folder) {
      rmSync(blob(folder, bundle));
      spawnSync('mkfifo', [blob(folder, bundle)]);
    },
    verify: [2, /is no regular file \[layout-malformed\]$/],
  },
  'has a bundle of a gibibyte': {
    damage: (folder) => truncateSync(blob(folder, bundle), 2 ** 30),
    verify: [2, /1073741824 bytes/],
  },
};

describe('a layout that', () => {
  for (const [what, { damage, verify, sign }] of Object.entries(CASES)) {
    test(`${what}: ${verify[0]} by name, without a socket, and nothing is written`, async () => {
      const { machine } = setting;
      const folder = join(machine.work, 'copy');
      cpSync(join(machine.work, 'good'), folder, { recursive: true });
      damage(folder);
      try {
        const files = machine.files();
        const args = ['--key', 'cosign.pub', 'oci-layout:copy:v1'];
        const plain = await machine.bulla(['verify', ...args], { record: true });
        assertRefused(plain, { code: verify[0], says: verify[1] });
        assert.deepEqual(plain.record?.sockets, []);
        const json = await setting.bulla(['verify', '--json', ...args]);
        assertRefusedJson(json, { code: verify[0], says: /./ });
        if (sign !== undefined) {
          const failed = await setting.bulla(['sign', '--key', 'plain.key', 'oci-layout:copy:v1']);
          assertRefused(failed, { code: sign[0], says: sign[1] });
        }
        assert.deepEqual(machine.files(), files);
      } finally {
        rmSync(folder, { recursive: true, force: true });
        rmSync(`${folder}-blobs`, { recursive: true, force: true });
      }
    });
  }

  test('holds several images wants to be told which, and one that it does not hold is missing', async () => {
    const { machine } = setting;
    const layout = await openLayout(join(machine.work, 'several'), { create: true });
    for (const name of ['one', 'two']) await writeImage(layout, name, name);
    const files = machine.files();
    const verify = ['verify', '--key', 'cosign.pub'];
    assertRefused(await setting.bulla([...verify, 'oci-layout:several']), {
      code: 1,
      says: /holds 2 images, name one of 'one', 'two'$/,
    });
    assertRefused(await setting.bulla([...verify, '--local-image', 'several']), { code: 1, says: /holds 2 images/ });
    assertRefused(await setting.bulla([...verify, 'oci-layout:several:three']), {
      code: 11,
      says: /image tag not found/,
    });
    const zeros = `sha256:${'0'.repeat(64)}`;
    assertRefused(await setting.bulla([...verify, `oci-layout:several@${zeros}`]), {
      code: 11,
      says: /image tag not found/,
    });
    assertRefused(await setting.bulla([...verify, 'oci-layout:several:one']), {
      code: 10,
      says: /no signatures found/,
    });
    assert.deepEqual(machine.files(), files);
  });
});
