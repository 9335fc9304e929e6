// SPDX-License-Identifier: Apache-2.0
import type { CertificateAuthority } from '../certificate/certificate-authority.ts';
import { certificateKey, type Certificate } from '../certificate/certificate.ts';
import { logIdOf } from '../certificate/sct.ts';
import { verifyWith } from '../certificate/signature-algorithm.ts';
import { sameOctets } from '../der/same-octets.ts';
import { TrustError } from '../error.ts';
import type { PublicKey } from '../key/public-key.ts';
import { timestampAuthority } from '../timestamp/timestamp-authority.ts';
import type { TrustedRoot } from './trusted-root.ts';

/** The parts of a trusted root, each of which came in a file of its own and says not how long it is trusted. */
export interface RootParts {
  /** roots and intermediates, in any order: those that issued themselves are trusted, the others below them */
  readonly authorities?: readonly Certificate[];
  /** trusted whoever issued them */
  readonly anchors?: readonly Certificate[];
  /** further ones below those; never trusted by themselves, even if they issued themselves */
  readonly intermediates?: readonly Certificate[];
  readonly certificateLogKeys?: readonly PublicKey[];
  /** of Rekor v1 */
  readonly logKeys?: readonly PublicKey[];
  /** from the certificate that signs to the root */
  readonly timestampChain?: readonly [Certificate, ...Certificate[]];
}

/**
 * Puts a trusted root together from its parts: what the variables `SIGSTORE_ROOT_FILE` and its kin are about. It is trusted at all times.
 *
 * @throws TrustError `certificate-malformed` if the timestamp authority has no issuer
 */
export function assembleTrustedRoot(parts: RootParts): TrustedRoot {
  const { certificateLogKeys = [], logKeys = [], timestampChain } = parts;
  return {
    logs: logKeys.map((publicKey) => ({ baseUrl: '', publicKey, logId: logIdOf(publicKey), majorVersion: 1 })),
    certificateLogs: certificateLogKeys.map((publicKey) => ({ publicKey })),
    certificateAuthorities: chainsOf(parts).map((chain) => ({ chain })),
    timestampAuthorities: timestampChain === undefined ? [] : [timestampAuthority(timestampChain)],
    skipped: [],
  };
}

type Chain = CertificateAuthority['chain'];

// Any of them may have issued leaves. One that leads to nobody who is trusted stands for nothing by itself.
function chainsOf({ authorities = [], anchors = [], intermediates = [] }: RootParts): readonly Chain[] {
  const roots = [...authorities, ...anchors].filter(isSelfIssued);
  const ends = anchors.filter((anchor) => !isSelfIssued(anchor));
  const below = [...authorities.filter((authority) => !isSelfIssued(authority)), ...intermediates];
  const others = [...below, ...ends];
  // Where the root of an anchor is here as well, that must be good too.
  const anchored = ends.map((anchor): Chain => chainFrom(anchor, roots, others) ?? [anchor]);
  const trusted = [...roots, ...anchored.flatMap((chain) => (chain.length === 1 ? chain : []))];
  return [
    ...roots.map((root): Chain => [root]),
    ...anchored,
    ...below.flatMap((certificate) => {
      const chain = chainFrom(certificate, trusted, others);
      return chain === undefined ? [] : [chain];
    }),
  ];
}

function isSelfIssued({ issuer, subject }: Certificate): boolean {
  return sameOctets(issuer, subject);
}

function chainFrom(
  certificate: Certificate,
  trusted: readonly Certificate[],
  others: readonly Certificate[],
): Chain | undefined {
  const above: Certificate[] = [];
  let last = certificate;
  for (;;) {
    const end = issuerOf(last, trusted);
    if (end !== undefined) return [certificate, ...above, end];
    const next = issuerOf(
      last,
      others.filter((candidate) => candidate !== certificate && !above.includes(candidate)),
    );
    if (next === undefined) return undefined;
    above.push(next);
    last = next;
  }
}

// An authority that has changed its key is there twice under one name: then whichever signed. Whether that holds is for `verifyChain` to say.
function issuerOf(certificate: Certificate, candidates: readonly Certificate[]): Certificate | undefined {
  const named = candidates.filter(({ subject }) => sameOctets(subject, certificate.issuer));
  return named.length < 2 ? named[0] : (named.find((candidate) => hasSigned(candidate, certificate)) ?? named[0]);
}

function hasSigned(issuer: Certificate, { signatureAlgorithm, tbs, signature }: Certificate): boolean {
  try {
    return verifyWith(signatureAlgorithm, certificateKey(issuer, 'the authority'), tbs, signature);
  } catch (error) {
    if (error instanceof TrustError) return false;
    throw error;
  }
}
