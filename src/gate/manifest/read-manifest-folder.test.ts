// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readManifestFolder } from './read-manifest-folder.ts';
import { MANIFEST_LIMITS } from './source-text.ts';

const root = mkdtempSync(join(tmpdir(), 'bulla-manifests-'));
after(() => rmSync(root, { recursive: true, force: true }));

function tree(name: string, files: readonly string[]): string {
  for (const file of files) {
    const path = join(root, name, file);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, 'a: 1\n');
  }
  return join(root, name);
}

describe('a folder of manifests', () => {
  it('is read in the order of its names, without .git, node_modules and files of other kinds', async () => {
    const folder = tree('plain', [
      'b/two.yml',
      'a.yaml',
      'b/Dockerfile',
      'c.json',
      'kustomization.yaml',
      'README.md',
      'main.go',
      '.git/config.yaml',
      'node_modules/x/y.yaml',
      '.hidden/z.yaml',
    ]);
    const { files, faults } = await readManifestFolder(folder, 'deploy/');
    assert.deepEqual(
      files.map(({ name }) => name),
      [
        'deploy/.hidden/z.yaml',
        'deploy/a.yaml',
        'deploy/b/Dockerfile',
        'deploy/b/two.yml',
        'deploy/c.json',
        'deploy/kustomization.yaml',
      ],
    );
    assert.ok(files.every(({ met }) => met === true));
    assert.deepEqual(faults, []);
  });
  it('has links followed nowhere: one that could be a manifest is an error', async () => {
    const folder = tree('links', ['a.yaml']);
    writeFileSync(join(root, 'outside.yaml'), 'secret: 1\n');
    symlinkSync(join(root, 'outside.yaml'), join(folder, 'b.yaml'));
    symlinkSync(root, join(folder, 'up'));
    const { files, faults } = await readManifestFolder(folder, 'links');
    assert.deepEqual(
      files.map(({ name }) => name),
      ['links/a.yaml'],
    );
    assert.deepEqual(
      faults.map(({ severity, code, place }) => `${severity} ${code} ${place.file}`),
      ['error file-unreadable links/b.yaml', 'warning file-unreadable links/up'],
    );
  });
  it('may be too deep, which is an error', async () => {
    const folder = tree('deep', [`${'d/'.repeat(MANIFEST_LIMITS.maxFolderDepth + 1)}a.yaml`]);
    const { files, faults } = await readManifestFolder(folder);
    assert.deepEqual(
      [files.length, faults.map(({ severity, code }) => `${severity} ${code}`)],
      [0, ['error manifest-too-large']],
    );
  });
  it(
    'may hold what cannot be read, which is an error',
    { skip: process.getuid?.() === 0 && 'root reads everything' },
    async () => {
      const folder = tree('closed', ['a.yaml']);
      chmodSync(join(folder, 'a.yaml'), 0);
      const { faults } = await readManifestFolder(folder);
      assert.deepEqual(
        faults.map(({ code, message }) => `${code} ${message}`),
        ['file-unreadable cannot be read: permission denied (EACCES)'],
      );
    },
  );
  it('is a fault where it is not there', async () => {
    const { faults } = await readManifestFolder(join(root, 'nowhere'));
    assert.deepEqual(
      faults.map(({ severity, message }) => `${severity} ${message}`),
      ['error cannot be read: it is gone (ENOENT)'],
    );
  });
});
