// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after } from 'node:test';
import { interop } from './clients.ts';
import { ARM64, bothKinds, keyFile, Lab, pushImages, SINGLE, succeed } from './lab.ts';

// SBOMs that bulla attests are verified by the real cosign, and those that cosign attests are fetched by `bulla sbom get`.

const lab = new Lab();
after(() => lab.close());
const KEY = keyFile('cosign.key');
const VERIFY = ['--key', keyFile('cosign.pub'), '--insecure-ignore-tlog'];
const INPUT = join(import.meta.dirname, '../golden/_inputs/spdx.json');
let repositories = 0;

interface Statement {
  readonly predicateType: string;
  readonly predicate: { readonly spdxVersion?: string; readonly bomFormat?: string };
}

/** What an envelope in a line says. */
function statementOf(line: string): Statement {
  const { payload } = JSON.parse(line) as { readonly payload: string };
  return JSON.parse(Buffer.from(payload, 'base64').toString()) as Statement;
}

for (const [kind, start] of Object.entries(bothKinds(lab))) {
  for (const [client, format] of [
    ['cosign-2', 'legacy'],
    ['cosign-3', 'bundle'],
  ] as const) {
    interop(
      `${client} verifies in ${kind} what bulla sbom --attest says of each platform`,
      [client],
      async ([cosign]) => {
        const name = await pushImages(await start(), `sbom/app${++repositories}`);
        const home = lab.folder();
        for (const [output, type] of [
          ['spdx-json', 'spdxjson'],
          ['cyclonedx-json', 'cyclonedx'],
        ] as const) {
          const seal = ['--key', KEY, '--format', format, '--tlog-upload=false', '--yes'];
          const made = await lab.bulla(['sbom', '--attest', '--output', output, ...seal, `${name}:multi`], { home });
          assert.equal(made.code, 0, made.stderr);
          for (const digest of [SINGLE, ARM64]) {
            const verified = await succeed(
              cosign,
              ['verify-attestation', ...VERIFY, '--type', type, `${name}@${digest}`],
              home,
            );
            const { predicate } = statementOf(verified.stdout.trim().split('\n')[0] ?? '');
            assert.equal(
              type === 'spdxjson' ? predicate.spdxVersion : predicate.bomFormat,
              type === 'spdxjson' ? 'SPDX-2.3' : 'CycloneDX',
            );
            const got = await lab.bulla(
              ['sbom', 'get', ...VERIFY, '--type', type.replace('json', ''), `${name}@${digest}`],
              { home },
            );
            assert.equal(got.code, 0, got.stderr);
            assert.deepEqual(JSON.parse(got.stdout), predicate);
          }
        }
      },
    );

    interop(
      `bulla sbom get fetches from ${kind} what ${client} attested, and download sbom what it attached`,
      [client],
      async ([cosign]) => {
        const name = await pushImages(await start(), `sbom/app${++repositories}`);
        const home = lab.folder();
        const config = client === 'cosign-3' ? ['--use-signing-config=false'] : [];
        const attest = [
          'attest',
          '--key',
          KEY,
          ...config,
          '--tlog-upload=false',
          '--yes',
          '--type',
          'spdxjson',
          '--predicate',
          INPUT,
        ];
        await succeed(cosign, [...attest, `${name}@${SINGLE}`], home, { COSIGN_PASSWORD: 'pw' });
        const got = await lab.bulla(['sbom', 'get', ...VERIFY, `${name}@${SINGLE}`], { home });
        assert.equal(got.code, 0, got.stderr);
        assert.equal((JSON.parse(got.stdout) as Statement['predicate']).spdxVersion, 'SPDX-2.3');
        await succeed(cosign, ['attach', 'sbom', '--sbom', INPUT, `${name}@${SINGLE}`], home);
        const ours = await lab.bulla(['download', 'sbom', `${name}@${SINGLE}`], { home });
        const theirs = await succeed(cosign, ['download', 'sbom', `${name}@${SINGLE}`], home);
        assert.equal(ours.stdout, theirs.stdout);
      },
    );
  }
}
