// SPDX-License-Identifier: Apache-2.0
import { WireError } from '../wire/index.ts';
import type { Bundle } from './bundle/bundle.ts';
import { authoritiesByWay } from './certificate/carried-chain.ts';
import { certificateIdentity, type CertificateIdentity } from './certificate/certificate-identity.ts';
import { keyFault } from './certificate/certificate-authority.ts';
import { certificateKey, decodeCertificate, type Certificate } from './certificate/certificate.ts';
import { verifyChain } from './certificate/verify-chain.ts';
import { verifyScts } from './certificate/verify-scts.ts';
import { TrustError } from './error.ts';
import { matchIdentity, type ExpectedIdentity } from './identity/identity.ts';
import { printable } from './printable.ts';
import {
  rejected,
  rejectedFor,
  type EvidenceDemand,
  type RejectedSeal,
  type SealCheck,
  type SealEvidence,
} from './seal-check.ts';
import { missingArtifact, schemeOf, type SealedContent } from './sealed-content.ts';
import { verifyEvidence } from './verify-evidence.ts';

type Sealer = Omit<Extract<SealCheck, { kind: 'accepted' }>, 'content'>;
type IdentityDemand = { readonly identities: readonly ExpectedIdentity[] } & EvidenceDemand;

/** Who made a bundle's signature, by the certificate beside it. The steps are in the order in which one needs the other. */
export async function verifyByIdentity(
  bundle: Bundle,
  content: SealedContent,
  demand: IdentityDemand,
): Promise<Sealer | RejectedSeal> {
  // 1. The certificate is there, and its key made the signature over this content.
  const certificate = readLeaf(bundle);
  if (certificate.kind === 'rejected') return certificate;
  const { leaf } = certificate;
  const key = certificateKey(leaf, WHAT);
  const scheme = await schemeOf(key, content);
  if (scheme === undefined) {
    const expected = 'one by the key of the certificate beside it';
    return (
      (await missingArtifact([key], content)) ??
      rejected('signature-invalid', 'a signature that does not hold', expected)
    );
  }
  // 2. Logs and timestamp authorities know of this signature; they say when it was there.
  const verifier = { kind: 'certificate', certificate: leaf } as const;
  const logged = { signature: content.signature, verifier, content: content.signed };
  const check = verifyEvidence(bundle, logged, demand);
  if (check.kind === 'rejected') return check;
  // 3. to 5. Whose certificate it was at those times.
  const whose = verifyCertificate(leaf, certificate.carried, check.evidence, demand);
  if (whose.kind === 'rejected') return whose;
  const { identity } = whose;
  return {
    kind: 'accepted',
    signer: { kind: 'identity', identity, certificate: leaf },
    scheme,
    evidence: check.evidence,
  };
}

const WHAT = 'the certificate';

interface Leaf {
  readonly kind: 'leaf';
  readonly leaf: Certificate;
  /** what else lies there: what the certificate chains to is for the trusted root to say, unless it is asked for */
  readonly carried: readonly Uint8Array[];
}

function readLeaf({ material }: Bundle): Leaf | RejectedSeal {
  const [der, ...carried] = material.kind === 'certificate' ? material.chain : [];
  if (der === undefined) return rejected('key-material', 'a seal by a key', 'a seal by a certificate');
  let leaf: Certificate;
  try {
    leaf = decodeCertificate(der, WHAT);
  } catch (error) {
    if (!(error instanceof TrustError) && !(error instanceof WireError)) throw error;
    return rejected('certificate-malformed', printable(error.message, 200), 'a certificate (RFC 5280)');
  }
  const fault = keyFault(leaf, WHAT);
  return fault === undefined
    ? { kind: 'leaf', leaf, carried }
    : rejected('certificate-key-unsupported', fault, 'a key of a kind that is used here');
}

function verifyCertificate(
  leaf: Certificate,
  carried: readonly Uint8Array[],
  evidence: SealEvidence,
  demand: IdentityDemand,
): { readonly kind: 'identity'; readonly identity: CertificateIdentity } | RejectedSeal {
  const { trustedRoot, ignoreScts, thresholds, identities, carriedChain } = demand;
  // 3. An authority issued it, and it was valid with all above it at each time that is known.
  const { certificateAuthorities: listed } = trustedRoot;
  const authorities = carriedChain === true ? [...listed, ...authoritiesByWay(leaf, carried, listed)] : listed;
  const chain = verifyChain(leaf, authorities, timesOf(evidence, demand), 'code-signing');
  if (chain.kind === 'rejected') return rejectedFor(chain.rejection);
  // 4. It is in a certificate log.
  if (ignoreScts !== true) {
    const threshold = thresholds?.scts ?? 1;
    const scts = verifyScts(leaf, chain.issuer, trustedRoot.certificateLogs, { threshold });
    if (scts.kind === 'rejected') return rejectedFor(scts.rejection);
  }
  // 5. It is of somebody who is expected.
  const identity = certificateIdentity(leaf);
  if (identity.kind === 'rejected') return rejectedFor(identity.rejection);
  const match = matchIdentity(identity.identity, identities);
  return match.kind === 'rejected' ? rejectedFor(match.rejection) : { kind: 'identity', identity: identity.identity };
}

// The time of an entry counts only where the log has signed it. Where nothing says when, and nothing was to say it, it must be valid now.
function timesOf({ logEntries, timestamps }: SealEvidence, { ignoreLog, now }: EvidenceDemand): readonly Date[] {
  const logged = logEntries.flatMap(({ integratedTime }) => (integratedTime === undefined ? [] : [integratedTime]));
  const times = [...logged, ...timestamps.map(({ time }) => time)];
  return times.length === 0 && ignoreLog === true && now !== undefined ? [now] : times;
}
