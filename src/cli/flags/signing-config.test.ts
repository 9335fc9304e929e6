// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { checkSigningConfig } from './signing-config.ts';

const cwd = mkdtempSync(join(tmpdir(), 'bulla-signing-config-'));
after(() => rmSync(cwd, { recursive: true }));

async function check(content: string | undefined, trustedRoot?: string): Promise<void> {
  if (content !== undefined) writeFileSync(join(cwd, 'config.json'), content);
  await checkSigningConfig({ cwd }, content === undefined ? undefined : 'config.json', trustedRoot);
}

const EMPTY =
  '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}';

describe('a signing config', () => {
  it('that names no services is taken, with a trusted root beside it or without', async () => {
    await check(EMPTY);
    await check('{"rekorTlogUrls":[],"tsaUrls":[]}', 'trusted_root.json');
    await check(undefined);
  });

  for (const services of ['caUrls', 'oidcUrls', 'rekorTlogUrls', 'tsaUrls']) {
    it(`that names ${services} is refused by name`, async () => {
      await assert.rejects(check(`{"${services}":[{"url":"https://log.example"}]}`), {
        code: 'flag-refused',
        message: new RegExp(services),
      });
    });
  }

  it('that is none, or is not there, is refused', async () => {
    await assert.rejects(check('[]'), { code: 'flag-refused' });
    await assert.rejects(check('nonsense'), { code: 'json-malformed' });
    await assert.rejects(checkSigningConfig({ cwd }, 'nowhere.json', undefined), { code: 'file-missing' });
  });

  it('is what a trusted root needs beside it', async () => {
    await assert.rejects(check(undefined, 'trusted_root.json'), { code: 'flag-refused', message: /--trusted-root/ });
  });
});
