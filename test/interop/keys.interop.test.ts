// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { interop, runClient, type ClientRun } from './clients.ts';

const root = join(import.meta.dirname, '../..');
const GOLDEN = join(root, 'test/golden/_keys');
const COSIGNS = ['cosign-2', 'cosign-3'] as const;
const env = { COSIGN_PASSWORD: 'pw' };

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'bulla-interop-keys-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const bulla = (...args: string[]): Promise<ClientRun> => runClient(join(root, 'bin/bulla'), args, { home, env });
const read = (name: string): string => readFileSync(join(home, name), 'utf8');

function ended(run: ClientRun): string {
  assert.equal(run.code, 0, run.stderr);
  return run.stdout;
}

for (const name of COSIGNS) {
  describe(`keys of bulla and ${name}`, () => {
    for (const algorithm of ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'ed25519', 'rsa-2048']) {
      interop(`${name} opens an ${algorithm} key that bulla made`, [name], async ([cosign]) => {
        ended(await bulla('generate-key-pair', '--algorithm', algorithm));
        assert.equal(
          ended(await runClient(cosign, ['public-key', '--key', 'cosign.key'], { home, env })),
          read('cosign.pub'),
        );
      });
    }

    interop(`${name} and bulla do not open a key of bulla's with another password`, [name], async ([cosign]) => {
      ended(await bulla('generate-key-pair'));
      for (const program of [cosign, join(root, 'bin/bulla')]) {
        const { code } = await runClient(program, ['public-key', '--key', 'cosign.key'], {
          home,
          env: { COSIGN_PASSWORD: 'no' },
        });
        assert.equal(code, 1);
      }
    });

    interop(
      `bulla opens a key that ${name} made, and prints its public key byte for byte`,
      [name],
      async ([cosign]) => {
        ended(await runClient(cosign, ['generate-key-pair'], { home, env }));
        assert.equal(ended(await bulla('public-key', '--key', 'cosign.key')), read('cosign.pub'));
      },
    );

    interop(
      `bulla opens a key that ${name} made with a password from a pipe, newline and all`,
      [name],
      async ([cosign]) => {
        ended(await runClient(cosign, ['generate-key-pair'], { home, input: 'pw\n' }));
        const { code, stdout } = await runClient(join(root, 'bin/bulla'), ['public-key', '--key', 'cosign.key'], {
          home,
          input: 'pw\n',
        });
        assert.equal(code, 0);
        assert.equal(stdout, read('cosign.pub'));
      },
    );

    interop(`${name} opens a key that bulla made without a password`, [name], async ([cosign]) => {
      const none = { COSIGN_PASSWORD: '' };
      ended(await runClient(join(root, 'bin/bulla'), ['generate-key-pair'], { home, env: none }));
      assert.equal(
        ended(await runClient(cosign, ['public-key', '--key', 'cosign.key'], { home, env: none })),
        read('cosign.pub'),
      );
    });

    interop(
      `bulla prompts before it replaces a key, as ${name} does, and takes the same answers`,
      [name],
      async ([cosign]) => {
        for (const program of [cosign, join(root, 'bin/bulla')]) {
          ended(
            await runClient(program, ['generate-key-pair', '--output-key-prefix', 'twice'], {
              home,
              env,
              input: 'y\n',
            }),
          );
          const before = read('twice.key');
          const refused = await runClient(program, ['generate-key-pair', '--output-key-prefix', 'twice'], {
            home,
            env,
            input: 'n\n',
          });
          assert.equal(refused.code, 1);
          assert.match(refused.stderr, /WARNING: File twice\.key already exists\. Overwrite\?\n/);
          assert.match(refused.stderr, /Are you sure you would like to continue\? \[y\/N\] /);
          assert.match(refused.stderr, /Error: user declined the prompt/);
          assert.equal(read('twice.key'), before);
          ended(
            await runClient(program, ['generate-key-pair', '--output-key-prefix', 'twice'], {
              home,
              env,
              input: 'y\n',
            }),
          );
          assert.notEqual(read('twice.key'), before);
        }
      },
    );
  });
}

// cosign 2 imports no ECDSA or RSA key where it was built with a recent Go ("unsupported public key type"), but opens what was imported
for (const pem of ['p256.pem', 'p384.pem', 'ed25519.pem', 'rsa2048.pem']) {
  interop(
    `bulla and cosign 3 import ${pem} as the same key, and open each other's, as cosign 2 does`,
    COSIGNS,
    async ([cosign2, cosign3]) => {
      copyFileSync(join(GOLDEN, pem), join(home, 'key.pem'));
      ended(
        await runClient(cosign3, ['import-key-pair', '--key', 'key.pem', '--output-key-prefix', 'theirs'], {
          home,
          env,
        }),
      );
      ended(await bulla('import-key-pair', '--key', 'key.pem', '--output-key-prefix', 'ours'));
      assert.equal(read('ours.pub'), read('theirs.pub'));
      assert.equal(ended(await bulla('public-key', '--key', 'theirs.key')), read('theirs.pub'));
      for (const cosign of [cosign2, cosign3]) {
        assert.equal(
          ended(await runClient(cosign, ['public-key', '--key', 'ours.key'], { home, env })),
          read('ours.pub'),
        );
      }
    },
  );
}

test('bulla opens the keys that cosign left in the golden runs', async () => {
  for (const name of ['cosign', 'imp-p256', 'imp-p384', 'imp-p521', 'imp-ed25519', 'imp-rsa2048']) {
    copyFileSync(join(GOLDEN, `${name}.key`), join(home, `${name}.key`));
    assert.equal(
      ended(await bulla('public-key', '--key', `${name}.key`)),
      readFileSync(join(GOLDEN, `${name}.pub`), 'utf8'),
      name,
    );
  }
  copyFileSync(join(GOLDEN, 'emptypw.key'), join(home, 'emptypw.key'));
  const { stdout } = await runClient(join(root, 'bin/bulla'), ['public-key', '--key', 'emptypw.key'], {
    home,
    env: { COSIGN_PASSWORD: '' },
  });
  assert.equal(stdout, readFileSync(join(GOLDEN, 'emptypw.pub'), 'utf8'));
});
