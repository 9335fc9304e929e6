// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Seal } from '../../image/index.ts';
import { generatePrivateKey, keySigner, type SealSigner } from '../../trust/index.ts';
import { countSigners } from './seal-demand.ts';

type Signed = Pick<Seal, 'signer'>;
type Identity = Extract<SealSigner, { kind: 'identity' }>;

function by(subject: string, kind: Identity['identity']['kind'], issuer?: string): Signed {
  const claims = issuer === undefined ? {} : { issuer };
  return { signer: { kind: 'identity', identity: { subject, kind, claims }, certificate: {} } as Identity };
}

async function byKey(): Promise<Signed> {
  const { publicKey } = keySigner(await generatePrivateKey('ecdsa-p256'));
  return { signer: { kind: 'key', key: publicKey } };
}

describe('different signers', () => {
  const idp = 'https://idp.example.com';

  it('are different keys, however many seals each has made', async () => {
    const [one, two] = [await byKey(), await byKey()];
    assert.equal(countSigners([one, one, two, one]), 2);
  });

  it('are different issuers and subjects, whatever else their certificates say', () => {
    const dev = by('dev@example.com', 'email', idp);
    assert.equal(countSigners([dev, by('dev@example.com', 'email', idp)]), 1);
    assert.equal(countSigners([dev, by('dev@example.com', 'email', 'https://other.example.com')]), 2);
    assert.equal(countSigners([dev, by('ops@example.com', 'email', idp)]), 2);
    assert.equal(countSigners([dev, by('dev@example.com', 'email')]), 2);
  });

  it('are no two spellings of one mail address', () => {
    assert.equal(countSigners([by('dev@example.com', 'email', idp), by('Dev@Example.com', 'email', idp)]), 1);
    assert.equal(countSigners([by('https://ci/App', 'uri', idp), by('https://ci/app', 'uri', idp)]), 2);
  });
});
