// SPDX-License-Identifier: Apache-2.0
import type { CertificateAuthority } from '../certificate/certificate-authority.ts';
import type { Certificate } from '../certificate/certificate.ts';
import { logIdOf } from '../certificate/sct.ts';
import { sameOctets } from '../der/same-octets.ts';
import type { PublicKey } from '../key/public-key.ts';
import { timestampAuthority } from '../timestamp/timestamp-authority.ts';
import type { TrustedRoot } from './trusted-root.ts';

/** The parts of a trusted root, each of which came in a file of its own and says not how long it is trusted. */
export interface RootParts {
  /** roots and intermediates, in any order */
  readonly authorities?: readonly Certificate[];
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
  const { authorities = [], certificateLogKeys = [], logKeys = [], timestampChain } = parts;
  return {
    logs: logKeys.map((publicKey) => ({ baseUrl: '', publicKey, logId: logIdOf(publicKey), majorVersion: 1 })),
    certificateLogs: certificateLogKeys.map((publicKey) => ({ publicKey })),
    certificateAuthorities: authorities.flatMap((certificate) => chainFrom(certificate, authorities)),
    timestampAuthorities: timestampChain === undefined ? [] : [timestampAuthority(timestampChain)],
    skipped: [],
  };
}

// Any of them may have issued leaves. One that leads to no root here is not trusted: it stands for nothing by itself.
function chainFrom(certificate: Certificate, all: readonly Certificate[]): readonly CertificateAuthority[] {
  const above: Certificate[] = [];
  let last = certificate;
  while (!sameOctets(last.issuer, last.subject)) {
    const { issuer } = last;
    const next = all.find((candidate) => sameOctets(candidate.subject, issuer) && !above.includes(candidate));
    if (next === undefined) return [];
    above.push(next);
    last = next;
  }
  return [{ chain: [certificate, ...above] }];
}
