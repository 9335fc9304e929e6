// SPDX-License-Identifier: Apache-2.0
import {
  certificateSigner,
  draftLeaf,
  finishLeaf,
  generatePrivateKey,
  issueRoot,
  randomSerialNumber,
} from '../../trust/index.ts';
import type { FulcioClaims } from '../../trust/index.ts';
import type { TestSigner } from './rekor.fixture.ts';

/** A signer with a certificate, and the one above it. */
export interface TestPipeline extends TestSigner {
  readonly certificate: Uint8Array;
  /** DER of the authority */
  readonly issuer: Uint8Array;
}

export const WORKFLOW = 'https://github.com/Example/app/.github/workflows/release.yml@refs/tags/v1';

/** What GitHub's tokens say of a build. */
export const CLAIMS: FulcioClaims = {
  issuer: 'https://token.actions.githubusercontent.com',
  githubWorkflowName: 'Release',
  githubWorkflowRepository: 'Example/app',
  buildSignerUri: WORKFLOW,
  sourceRepositoryUri: 'https://github.com/Example/app',
  buildConfigUri: WORKFLOW,
};

const BEGIN = new Date('2026-01-01T00:00:00Z');
const END = new Date('2036-01-01T00:00:00Z');

/** A new key that a new authority has certified to be that of a workflow, or of whoever is named. */
export async function newPipeline(
  name: { readonly kind: 'uri' | 'email'; readonly value: string } = { kind: 'uri', value: WORKFLOW },
  claims: FulcioClaims = CLAIMS,
): Promise<TestPipeline> {
  const [authority, key] = await Promise.all([generatePrivateKey('ecdsa-p256'), generatePrivateKey('ecdsa-p256')]);
  const signer = certificateSigner(authority);
  const validity = { notBefore: BEGIN, notAfter: END };
  const named = { name: { organization: 'test' }, publicKey: authority.publicKey, serialNumber: randomSerialNumber() };
  const root = await issueRoot({ ...named, ...validity }, 0, signer);
  const request = { publicKey: key.publicKey, name, claims, serialNumber: randomSerialNumber(), ...validity };
  const certificate = await finishLeaf(draftLeaf(request, root, signer.algorithm), [], signer);
  return { key, certificate, issuer: root.der };
}
