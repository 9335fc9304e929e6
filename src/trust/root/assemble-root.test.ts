// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeCertificates } from '../certificate/certificate-chain.ts';
import { decodePublicKey } from '../key/public-key.ts';
import { assembleTrustedRoot } from './assemble-root.ts';

const stack = join(import.meta.dirname, '../../../test/golden/_stack');
const certificates = (name: string): ReturnType<typeof decodeCertificates> =>
  decodeCertificates(readFileSync(join(stack, name)), name);

test('each authority of a file is trusted by way of the root in it, in whatever order they stand', () => {
  const [intermediate, root] = certificates('fulcio-chain.pem');
  assert.ok(root !== undefined);
  const { certificateAuthorities } = assembleTrustedRoot({ authorities: [root, intermediate] });
  assert.deepEqual(
    certificateAuthorities.map(({ chain }) => chain),
    [[root], [intermediate, root]],
  );
});

test('an intermediate without its root is not trusted', () => {
  const [intermediate] = certificates('fulcio-chain.pem');
  assert.deepEqual(assembleTrustedRoot({ authorities: [intermediate] }).certificateAuthorities, []);
});

test('logs are known by the hash of their key, and timestamps by the chain that begins with who signs them', () => {
  const key = decodePublicKey(readFileSync(join(stack, 'ctfe.pub')), 'ctfe.pub');
  const root = assembleTrustedRoot({
    logKeys: [key],
    certificateLogKeys: [key],
    timestampChain: certificates('tsa-chain.pem'),
  });
  assert.equal(Buffer.from(root.logs[0]?.logId ?? []).toString('base64'), key.hint);
  assert.equal(root.certificateLogs[0]?.publicKey, key);
  assert.equal(root.timestampAuthorities.length, 1);
});

test('nothing is trusted where nothing is given', () => {
  const { skipped: _, ...lists } = assembleTrustedRoot({});
  assert.deepEqual(Object.values(lists), [[], [], [], []]);
});
