// SPDX-License-Identifier: Apache-2.0
import { digestAlgorithm, digestHex, type Descriptor, type Repository } from '../oci/index.ts';
import { signBundle } from '../trust/index.ts';
import { attachBundle } from './attach-bundle.ts';
import { requireSeal } from './require-seal.ts';
import type { MadeSeal, SignImageOptions } from './sign-image.ts';

/** How a statement is sealed: what signing an image and attesting something of it have in common. */
export type SealOptions = Pick<
  SignImageOptions,
  'signer' | 'witnesses' | 'expectation' | 'evidence' | 'now' | 'upload'
>;

/** Signs a statement about an image as a bundle, and lays it beside the image once it was verified. @throws as `signImage` */
export async function sealBundle(
  repository: Repository,
  subject: Descriptor,
  statement: { readonly payload: Uint8Array; readonly predicateType: string },
  options: SealOptions,
): Promise<Extract<MadeSeal, { format: 'bundle' }>> {
  const { signer, witnesses = [], evidence = repository, now } = options;
  const { digest } = subject;
  const bundle = await signBundle(statement.payload, signer, witnesses);
  const artifact = { kind: 'digest', algorithm: digestAlgorithm(digest), hex: digestHex(digest) } as const;
  const check = (): Promise<void> => requireSeal(bundle, artifact, digest, options);
  if (options.upload === false) {
    await check();
    return { format: 'bundle', digest, bundle };
  }
  const { predicateType } = statement;
  const { descriptor, listed } = await attachBundle(evidence, { subject, bundle, predicateType, now, check });
  return { format: 'bundle', digest, bundle, manifest: descriptor.digest, ...(listed === undefined ? {} : { listed }) };
}
