// SPDX-License-Identifier: Apache-2.0
import {
  decodeManifest,
  digestAlgorithm,
  digestHex,
  type Descriptor,
  type Digest,
  type Repository,
} from '../oci/index.ts';
import {
  encodeSignStatement,
  encodeSimpleSigning,
  SIGN_PREDICATE_TYPE,
  signBundle,
  verifyBundle,
  verifySignature,
  type Bundle,
  type Signer,
} from '../trust/index.ts';
import { encodeBase64 } from '../wire/index.ts';
import { attachBundle } from './attach-bundle.ts';
import { attachedTag } from './attached-tag.ts';
import { attachLegacy } from './attach-legacy.ts';
import { ImageError } from './error.ts';
import { CONTAINER_IMAGE_SIGNATURE } from './judge.ts';
import type { SealFormat } from './verdict.ts';

/** How an image is sealed. */
export interface SignImageOptions {
  readonly signer: Signer;
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
 * @param target a tag or a digest of `repository`
 * @throws ImageError `image-missing`, `seal-not-readable`, `seal-conflict`; RegistryError as the repository does; what the signer throws
 * @example
 * const { digest } = await signImage(repository, 'v1', { signer: keySigner(key), now: new Date() });
 */
export async function signImage(
  repository: Repository,
  target: string,
  options: SignImageOptions,
): Promise<SignedImage> {
  const image = await repository.resolve(target);
  if (image === undefined) throw new ImageError('image-missing', `${repository.name} has no ${describe(target)}`);
  const subjects = options.recursive === true ? [image, ...(await childrenOf(repository, image))] : [image];
  const seals: MadeSeal[] = [];
  for (const subject of subjects) {
    for (const format of options.formats ?? ['bundle']) {
      if (format === 'bundle') seals.push(await sealBundle(repository, subject, options));
      else seals.push(...(await sealLegacy(repository, subject, options)));
    }
  }
  return { digest: image.digest, seals };
}

function describe(target: string): string {
  return target.includes(':') ? `manifest ${target}` : `tag '${target}'`;
}

async function childrenOf(repository: Repository, image: Descriptor): Promise<readonly Descriptor[]> {
  const stored = await repository.manifest(image.digest);
  if (stored === undefined) return [];
  const manifest = decodeManifest(stored.bytes, stored.descriptor.mediaType);
  if (manifest.kind !== 'index') return [];
  const children: Descriptor[] = [];
  for (const child of manifest.manifests) children.push(child, ...(await childrenOf(repository, child)));
  return children;
}

async function sealBundle(repository: Repository, subject: Descriptor, options: SignImageOptions): Promise<MadeSeal> {
  const { signer, annotations = {}, evidence = repository, now } = options;
  const named = { algorithm: digestAlgorithm(subject.digest), hex: digestHex(subject.digest) };
  const bundle = await signBundle(encodeSignStatement(named, annotations), signer);
  // A key that signs wrongly (a broken device, a wrong pair) must be noticed here, not at the gate.
  const check = await verifyBundle(bundle, { kind: 'digest', ...named }, { keys: [signer.publicKey] });
  if (check.kind === 'rejected') throw unreadable(subject.digest, `${check.rejection.code}: ${check.rejection.found}`);
  if (options.upload === false) return { format: 'bundle', digest: subject.digest, bundle };
  const written = await attachBundle(evidence, { subject, bundle, predicateType: SIGN_PREDICATE_TYPE, now });
  return {
    format: 'bundle',
    digest: subject.digest,
    bundle,
    manifest: written.descriptor.digest,
    ...(written.listed === undefined ? {} : { listed: written.listed }),
  };
}

// One seal for each name that the container goes by.
async function sealLegacy(
  repository: Repository,
  subject: Descriptor,
  options: SignImageOptions,
): Promise<readonly MadeSeal[]> {
  const { dockerReferences = [] } = options;
  const seals: MadeSeal[] = [];
  for (const name of dockerReferences.length === 0 ? [repository.name] : dockerReferences) {
    seals.push(await sealLegacyAs(name, repository, subject, options));
  }
  return seals;
}

async function sealLegacyAs(
  dockerReference: string,
  repository: Repository,
  subject: Descriptor,
  options: SignImageOptions,
): Promise<MadeSeal> {
  const { signer, annotations, evidence = repository, now } = options;
  const payload = encodeSimpleSigning({
    dockerReference,
    manifestDigest: subject.digest,
    type: CONTAINER_IMAGE_SIGNATURE,
    optional: annotations === undefined || Object.keys(annotations).length === 0 ? null : annotations,
  });
  const signature = await signer.sign(payload);
  if ((await verifySignature(signer.publicKey, payload, signature)) === undefined) {
    throw unreadable(subject.digest, 'signature-invalid: the public key does not match what the signer signs with');
  }
  const tag = attachedTag(subject.digest, 'signature', options.tagPrefix);
  const made = { format: 'legacy', digest: subject.digest, payload, signature, tag } as const;
  if (options.upload === false) return { ...made, existed: false };
  const layer = { payload, signature: encodeBase64(signature) };
  const { descriptor, existed } = await attachLegacy(evidence, tag, layer, signer.publicKey, {
    ...(options.dockerMediaTypes === undefined ? {} : { dockerMediaTypes: options.dockerMediaTypes }),
    ...(options.recordCreated === true ? { created: now.toISOString().replace(/\.\d+Z$/, 'Z') } : {}),
  });
  return { ...made, manifest: descriptor.digest, existed };
}

function unreadable(digest: Digest, why: string): ImageError {
  return new ImageError(
    'seal-not-readable',
    `the seal that was made for ${digest} does not verify and was not written (${why})`,
  );
}
