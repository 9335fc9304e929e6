// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { newTestKey, newTestKeys, newTestStack, NOW } from '../certificate/authority.fixture.ts';
import { decodeCertificates } from '../certificate/certificate-chain.ts';
import type { Certificate } from '../certificate/certificate.ts';
import { verifyChain } from '../certificate/verify-chain.ts';
import { decodePublicKey } from '../key/public-key.ts';
import { assembleTrustedRoot, type RootParts } from './assemble-root.ts';

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

test('what stands among the intermediates is never trusted by itself, even if it issued itself', async () => {
  const [trusted, strange] = await Promise.all([newTestKeys().then(newTestStack), newTestKeys().then(newTestStack)]);
  const { certificateAuthorities } = assembleTrustedRoot({
    authorities: [trusted.root],
    intermediates: [strange.root, strange.intermediate, trusted.intermediate],
  });
  const judged = (leaf: typeof trusted.leaf): string =>
    verifyChain(leaf, certificateAuthorities, [NOW], 'code-signing').kind;
  assert.equal(judged(trusted.leaf), 'accepted');
  assert.equal(judged(strange.leaf), 'rejected');
  const alone = assembleTrustedRoot({ intermediates: [strange.root, strange.intermediate] });
  assert.deepEqual(alone.certificateAuthorities, []);
});

test('an anchor is trusted whoever issued it, and with its root where that is there', async () => {
  const { root, intermediate, leaf } = await newTestKeys().then(newTestStack);
  const chains = (parts: RootParts): readonly (readonly Certificate[])[] =>
    assembleTrustedRoot(parts).certificateAuthorities.map(({ chain }) => chain);
  assert.deepEqual(chains({ anchors: [intermediate] }), [[intermediate]]);
  assert.deepEqual(chains({ anchors: [intermediate, root] }), [[root], [intermediate, root]]);
  assert.deepEqual(chains({ anchors: [intermediate], intermediates: [root] }), [[intermediate]]);
  assert.deepEqual(chains({ anchors: [root], intermediates: [intermediate] }), [[root], [intermediate, root]]);
  assert.deepEqual(chains({ anchors: [intermediate], intermediates: [leaf] }), [[intermediate], [leaf, intermediate]]);
});

test('of two authorities under one name, as when a root has changed its key, each is above what it has signed', async () => {
  const keys = await newTestKeys();
  const old = await newTestStack(keys);
  const rekeyed = await newTestStack({ ...keys, root: await newTestKey() });
  for (const authorities of [
    [old.root, rekeyed.root, old.intermediate, rekeyed.intermediate],
    [rekeyed.intermediate, old.intermediate, rekeyed.root, old.root],
  ]) {
    const { certificateAuthorities } = assembleTrustedRoot({ authorities });
    for (const intermediate of [old.intermediate, rekeyed.intermediate]) {
      const root = intermediate === old.intermediate ? old.root : rekeyed.root;
      assert.ok(certificateAuthorities.some(({ chain }) => chain[0] === intermediate && chain[1] === root));
    }
  }
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
