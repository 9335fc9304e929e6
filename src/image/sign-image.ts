// SPDX-License-Identifier: Apache-2.0
import { digestAlgorithm, digestHex, type Descriptor, type Digest, type Repository } from '../oci/index.ts';
import {
  encodeSignStatement,
  SIGN_PREDICATE_TYPE,
  type Bundle,
  type LogEntry,
  type Signer,
  type Witness,
} from '../trust/index.ts';
import type { ExpectedSigners } from './judge.ts';
import { sealBundle } from './seal-bundle.ts';
import { sealLegacy } from './seal-legacy.ts';
import { sealSubjects, type SealSubjects } from './seal-subjects.ts';
import type { SealFormat } from './verdict.ts';

/** How an image is sealed. */
export interface SignImageOptions {
  readonly signer: Signer;
  /** clocks and logs that are shown each signature; all of them must answer */
  readonly witnesses?: readonly Witness[];
  /**
   * By whom, and with what evidence, each seal must turn out to be before it is written: what a verifier will ask. Unless told, only the
   * signature is checked, with the signer's key.
   */
  readonly expectation?: ExpectedSigners;
  /** in which formats; bundle unless told */
  readonly formats?: readonly SealFormat[];
  readonly now: Date;
  /** `-a` pairs, sealed along */
  readonly annotations?: Readonly<Record<string, string>>;
  /** where the seals go, if not beside the image (`COSIGN_REPOSITORY`) */
  readonly evidence?: Repository;
  /** seals the images of an index as well (`--recursive`) */
  readonly recursive?: boolean;
  /** what legacy payloads name, each in a seal of its own, if not the repository (`--sign-container-identity`) */
  readonly dockerReferences?: readonly string[];
  readonly tagPrefix?: string;
  readonly dockerMediaTypes?: boolean;
  /** `--record-creation-timestamp` */
  readonly recordCreated?: boolean;
  /** false makes the seals and writes them nowhere (`--upload=false`) */
  readonly upload?: boolean;
}

/** One seal that was made. */
export type MadeSeal =
  | {
      readonly format: 'bundle';
      readonly digest: Digest;
      readonly bundle: Bundle;
      /** the manifest that carries it, if it was written */
      readonly manifest?: Digest;
      /** how it is found; `raceSafe` false where the registry cannot exclude that a concurrent writer drops it */
      readonly listed?: { readonly place: string; readonly raceSafe: boolean };
    }
  | {
      readonly format: 'legacy';
      readonly digest: Digest;
      readonly payload: Uint8Array;
      readonly signature: Uint8Array;
      /** what the witnesses gave */
      readonly logEntries: readonly LogEntry[];
      readonly timestamps: readonly Uint8Array[];
      /** what is written beside the signature: certificate, chain, promise of the log, timestamp */
      readonly annotations: Readonly<Record<string, string>>;
      readonly manifest?: Digest;
      readonly tag: string;
      /** true where the same payload was sealed with the same key before */
      readonly existed: boolean;
    };

/** What sealing an image did. */
export interface SignedImage {
  /** the digest that was sealed: what the target named at that one moment */
  readonly digest: Digest;
  readonly seals: readonly MadeSeal[];
}

/**
 * Seals an image: resolves the target once, signs that digest, checks the seal as a verifier would, and lays it beside the image.
 *
 * @param target a tag or a digest of `repository`, or what `sealSubjects` found
 * @throws ImageError `image-missing`, `seal-not-readable`, `seal-conflict`, `evidence-uncarried`; RegistryError as the repository does; what
 * the signer and the witnesses throw
 * @example
 * const { digest } = await signImage(repository, 'v1', { signer: keySigner(key), now: new Date() });
 */
export async function signImage(
  repository: Repository,
  target: string | SealSubjects,
  options: SignImageOptions,
): Promise<SignedImage> {
  const subjects = await sealSubjects(repository, target, options.recursive);
  const seals: MadeSeal[] = [];
  for (const subject of subjects) {
    for (const format of options.formats ?? ['bundle']) {
      if (format === 'bundle') seals.push(await signAsBundle(repository, subject, options));
      else seals.push(...(await sealLegacy(repository, subject, options)));
    }
  }
  return { digest: subjects[0].digest, seals };
}

async function signAsBundle(repository: Repository, subject: Descriptor, options: SignImageOptions): Promise<MadeSeal> {
  const digest = { algorithm: digestAlgorithm(subject.digest), hex: digestHex(subject.digest) };
  const payload = encodeSignStatement(digest, options.annotations ?? {});
  return sealBundle(repository, subject, { payload, predicateType: SIGN_PREDICATE_TYPE }, options);
}
