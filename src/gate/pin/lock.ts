// SPDX-License-Identifier: Apache-2.0
import type { Digest } from '../../oci/index.ts';
import type { Decision } from '../../policy/index.ts';
import { canonicalJson } from '../../wire/index.ts';

/** Who sealed a pinned image: the hash of the public key, or issuer and subject of the certificate. */
export type LockedSigner =
  | {
      readonly kind: 'key';
      /** SHA-256 of the public key, base64, as `verify` shows it */
      readonly key: string;
    }
  | { readonly kind: 'identity'; readonly issuer: string | null; readonly subject: string };

/** Why an image could be pinned: codes of decisions that trust. */
export const LOCK_REASONS = ['met', 'excepted', 'summary-accepted', 'no-policy-matches'] as const;
export type LockReason = (typeof LOCK_REASONS)[number];

/** One image at one digest, and why it was pinned. */
export interface LockedImage {
  /** its full name with its tag, if it has one: `index.docker.io/library/nginx:1.27` */
  readonly image: string;
  readonly digest: Digest;
  /** why it is trusted; several where it is run in several ways; in lexical order */
  readonly reasons: readonly LockReason[];
  /** whose seals counted, or who signed the exception or the summary by which it passed; nobody where a policy asks for no seal */
  readonly sealedBy: readonly LockedSigner[];
  /** of the policies and settings that decided: several where workloads of several kinds run the image; in lexical order */
  readonly policyHashes: readonly Digest[];
  /** digests of the seals that counted, or of that exception or summary, in lexical order */
  readonly evidence: readonly Digest[];
}

/** What `bulla pin` keeps beside the files that it pins. */
export interface Lock {
  /** the files and folders that it is about, relative to its own folder, with `/`; `.` is the folder itself */
  readonly paths: readonly string[];
  readonly images: readonly LockedImage[];
}

/** The version of the form that is written and read. */
export const LOCK_VERSION = 1;

/** Writes a lock: JSON in which the same content has the same bytes, and one fact a line, so that a diff is read with ease. */
export function encodeLock({ paths, images }: Lock): string {
  const document = {
    version: LOCK_VERSION,
    paths: sorted(paths),
    images: images.toSorted(byName).map(({ image, digest, reasons, sealedBy, policyHashes, evidence }) => ({
      image,
      digest,
      reasons: sorted(reasons),
      sealedBy: distinct(sealedBy),
      policyHashes: sorted(policyHashes),
      evidence: sorted(evidence),
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** What the lock keeps of decisions that trust the same image at the same digest. */
export function lockedImage(image: string, digest: Digest, decisions: readonly Decision[]): LockedImage {
  return {
    image,
    digest,
    reasons: sorted(decisions.map(({ code }) => LOCK_REASONS.find((reason) => reason === code) ?? 'met')),
    sealedBy: distinct(decisions.flatMap(signersOf)),
    policyHashes: sorted(decisions.map(({ policyHash }) => policyHash)),
    evidence: sorted(decisions.flatMap(evidenceOf)),
  };
}

/** Whose seals, exception or summary counted in a decision. */
function signersOf({ policies, exceptions, summary }: Decision): readonly LockedSigner[] {
  const authorities = policies.flatMap((policy) => [
    ...policy.authorities,
    ...(policy.platforms ?? []).flatMap((platform) => platform.authorities),
  ]);
  const seals = authorities
    .filter(({ outcome }) => outcome === 'trusted')
    .flatMap((authority) => [...authority.seals, ...authority.attestations.flatMap((one) => one.seals)]);
  return [
    ...seals.map(({ signer }): LockedSigner => {
      if (signer.kind === 'key') return { kind: 'key', key: signer.key.hint };
      const { subject, claims } = signer.identity;
      return { kind: 'identity', issuer: claims.issuer ?? null, subject };
    }),
    ...exceptions.map(({ signer }) => signer),
    ...(summary === undefined ? [] : [summary.signer]),
  ];
}

function evidenceOf({ evidence, exceptions, summary }: Decision): readonly Digest[] {
  const statements = exceptions.map(({ statement }) => statement);
  return [...evidence, ...statements, ...(summary === undefined ? [] : [summary.digest])];
}

/** A signer as one text, the same for the same signer. */
export function signerKey(signer: LockedSigner): string {
  return canonicalJson({ ...signer });
}

/** A signer for a person. */
export function formatSigner(signer: LockedSigner): string {
  if (signer.kind === 'key') return `key ${signer.key}`;
  return signer.issuer === null ? signer.subject : `${signer.subject} (issuer ${signer.issuer})`;
}

function distinct(signers: readonly LockedSigner[]): readonly LockedSigner[] {
  const byKey = new Map(signers.map((signer) => [signerKey(signer), signer]));
  return sorted([...byKey.keys()]).flatMap((key) => byKey.get(key) ?? []);
}

function sorted<T extends string>(values: readonly T[]): readonly T[] {
  return [...new Set(values)].toSorted();
}

function byName(a: LockedImage, b: LockedImage): number {
  const [left, right] = [`${a.image} ${a.digest}`, `${b.image} ${b.digest}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
