// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { newTestKey, newTestKeys, newTestStack, NOW, type TestKeys, type TestStack } from './authority.fixture.ts';
import { encodeBasicConstraints } from './build-certificate.ts';
import { authoritiesByWay } from './carried-chain.ts';
import type { Certificate } from './certificate.ts';
import { verifyChain } from './verify-chain.ts';

let keys: TestKeys;
let stack: TestStack;
before(async () => {
  keys = await newTestKeys();
  stack = await newTestStack(keys);
});

/** What becomes of a leaf where the root alone is known, and these lie beside it. */
function judge(leaf: Certificate, ...carried: readonly { readonly der: Uint8Array }[]): string {
  const roots = [{ chain: [stack.root] as const }];
  const found = authoritiesByWay(
    leaf,
    carried.map(({ der }) => der),
    roots,
  );
  const check = verifyChain(leaf, [...roots, ...found], [NOW], 'code-signing');
  return check.kind === 'accepted' ? 'accepted' : check.rejection.code;
}

describe('certificates beside a leaf', () => {
  test('lead from it to a root that is known, in whatever order they stand', () => {
    const { leaf, intermediate, root } = stack;
    assert.equal(judge(leaf), 'certificate-issuer-unknown');
    assert.equal(judge(leaf, intermediate), 'accepted');
    assert.equal(judge(leaf, intermediate, root), 'accepted');
    assert.equal(judge(leaf, root, leaf, intermediate), 'accepted');
  });

  test('are not believed by themselves, whatever they call themselves', async () => {
    const strange = await newTestStack(await newTestKeys());
    assert.equal(judge(strange.leaf, strange.intermediate, strange.root), 'authority-key-identifier');
    assert.equal(judge(strange.leaf, stack.intermediate), 'certificate-issuer-unknown');
    assert.equal(judge(stack.leaf, strange.intermediate), 'certificate-issuer-unknown');
    const forged = await newTestStack(
      { ...keys, intermediate: await newTestKey() },
      { intermediate: { signer: (await newTestKey()).signer } },
    );
    assert.equal(judge(forged.leaf, forged.intermediate), 'authority-signature-invalid');
  });

  test('are asked all that is asked of those that are listed', async () => {
    for (const [change, code] of [
      [{ extensions: { constraints: encodeBasicConstraints({ ca: false }) } }, 'authority-not-ca'],
      [{ extensions: { constraints: undefined } }, 'authority-not-ca'],
      [{ notAfter: new Date('2026-05-01T00:00:00Z') }, 'authority-expired'],
    ] as const) {
      const { leaf, intermediate } = await newTestStack(keys, { intermediate: change });
      assert.equal(judge(leaf, intermediate), code);
    }
  });

  test('lead nowhere where they go round, or cannot be read', async () => {
    const round = await newTestStack(keys, { intermediate: { issuer: stack.leaf.issuer } });
    assert.equal(judge(round.leaf, round.intermediate, round.intermediate), 'certificate-issuer-unknown');
    const [der, cut] = [new Uint8Array(), stack.intermediate.der.subarray(0, 100)];
    assert.equal(judge(stack.leaf, { der }, { der: cut }), 'certificate-issuer-unknown');
    assert.equal(judge(stack.leaf, { der }, stack.intermediate), 'accepted');
  });
});
