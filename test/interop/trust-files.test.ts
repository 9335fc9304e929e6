// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeTrustedRoot, encodeTrustedRoot, type TrustedRoot } from '../../src/trust/index.ts';
import { interop, runClient } from './clients.ts';

const golden = join(import.meta.dirname, '../golden');
const recorded = decodeTrustedRoot(readFileSync(join(golden, '_stack/trusted_root.json')), 'trusted_root.json');

for (const version of ['cosign-2', 'cosign-3'] as const) {
  interop(`${version} verifies by the trusted roots that bulla writes`, [version], async ([cosign], context) => {
    const home = mkdtempSync(join(tmpdir(), 'bulla-trust-'));
    context.after(() => rmSync(home, { recursive: true, force: true }));
    const verify = async (root: TrustedRoot): Promise<number> => {
      writeFileSync(join(home, 'trusted_root.json'), encodeTrustedRoot(root));
      const args = [
        'verify-blob',
        '--trusted-root=trusted_root.json',
        '--certificate-identity=dev@lab.example',
        '--certificate-oidc-issuer=http://localhost:5570/oidc',
        ...(version === 'cosign-2' ? ['--new-bundle-format'] : []),
        `--bundle=${join(golden, 'keyless-3.1.1-rekor1-tsa/blob.sigstore.json')}`,
        join(golden, '_inputs/blob.txt'),
      ];
      return (await runClient(cosign, args, { home })).code;
    };
    assert.equal(await verify(recorded), 0);
    // It was believed: without the authority, or after its time, the same seal is not.
    assert.notEqual(await verify({ ...recorded, certificateAuthorities: [] }), 0);
    const past = { start: new Date('2020-01-01T00:00:00Z'), end: new Date('2021-01-01T00:00:00Z') };
    const lapsed = recorded.certificateAuthorities.map((authority) => ({ ...authority, validFor: past }));
    assert.notEqual(await verify({ ...recorded, certificateAuthorities: lapsed }), 0);
  });
}
