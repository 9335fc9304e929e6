// SPDX-License-Identifier: Apache-2.0
import type { Bundle } from './bundle/bundle.ts';
import type { PublicKey } from './key/public-key.ts';
import type { SignatureScheme } from './key/verify-signature.ts';
import { loadOnce } from './load-once.ts';
import { printable } from './printable.ts';
import {
  rejected,
  type Artifact,
  type EvidenceDemand,
  type RejectedSeal,
  type SealCheck,
  type SealExpectation,
} from './seal-check.ts';
import { missingArtifact, openContent, readContent, schemeOf, type SealedContent } from './sealed-content.ts';

/**
 * Is this bundle a seal of the artifact by whom I expect?
 *
 * Of keys: only the signature decides who signed. Neither the key hint nor a certificate in the bundle excludes a key, because anybody can
 * write those. Without a trusted root the log is not asked, and entries and timestamps are not looked at; with one, a log must have the
 * signature.
 *
 * Of identities: the certificate in the bundle signed it; logs and timestamps say when; an authority of the trusted root had issued the
 * certificate, which was valid with its whole chain at every time that is known; a certificate log has it; and it is one of those expected.
 *
 * The predicate type is not judged here, see `content.statement.predicateType`.
 *
 * @see https://github.com/sigstore/architecture-docs/blob/main/client-spec.md
 * @example
 * const check = await verifyBundle(bundle, { kind: 'digest', algorithm: 'sha256', hex }, { keys: [key] });
 * if (check.kind === 'rejected') console.error(check.rejection.code, check.rejection.found);
 * @example
 * const release = await compileIdentity({ issuer: { exact: issuer }, subject: { exact: workflow } });
 * const check = await verifyBundle(bundle, artifact, { identities: [release], trustedRoot });
 */
export async function verifyBundle(
  bundle: Bundle,
  artifact: Artifact,
  expectation: SealExpectation,
): Promise<SealCheck> {
  const opened = openContent(bundle.content, artifact);
  if (opened.kind === 'rejected') return opened;
  const sealer =
    'keys' in expectation
      ? await verifyByKey(bundle, opened, expectation)
      : await (await byIdentity()).verifyByIdentity(bundle, opened, expectation);
  if (sealer.kind === 'rejected') return sealer;
  const content = readContent(opened, artifact);
  return content.kind === 'rejected' ? content : { ...sealer, content };
}

// A key alone needs neither.
const byIdentity = loadOnce(() => import('./verify-by-identity.ts'));
const evidenceOf = loadOnce(() => import('./verify-evidence.ts'));

/** An accepted seal of which the content was not read. */
export type Sealer = Omit<Extract<SealCheck, { kind: 'accepted' }>, 'content'>;

async function verifyByKey(
  bundle: Bundle,
  content: SealedContent,
  { keys, trustedRoot, ...demand }: { readonly keys: readonly PublicKey[] } & Partial<EvidenceDemand>,
): Promise<Sealer | RejectedSeal> {
  const signed = await signedBy(likeliestFirst(keys, bundle), content);
  if (signed === undefined) return (await missingArtifact(keys, content)) ?? notSigned(bundle, keys);
  const { key, scheme } = signed;
  const accepted: Sealer = { kind: 'accepted', signer: { kind: 'key', key }, scheme };
  if (trustedRoot === undefined) return accepted;
  const { verifyEvidence, keyVerifier } = await evidenceOf();
  const logged = { signature: content.signature, verifier: keyVerifier(bundle, key), content: content.signed };
  const evidence = verifyEvidence(bundle, logged, { ...demand, trustedRoot });
  return evidence.kind === 'rejected' ? evidence : { ...accepted, evidence: evidence.evidence };
}

async function signedBy(
  keys: readonly PublicKey[],
  content: SealedContent,
): Promise<{ readonly key: PublicKey; readonly scheme: SignatureScheme } | undefined> {
  for (const key of keys) {
    const scheme = await schemeOf(key, content);
    if (scheme !== undefined) return { key, scheme };
  }
  return undefined;
}

function likeliestFirst(keys: readonly PublicKey[], { material }: Bundle): readonly PublicKey[] {
  const hint = material.kind === 'public-key' ? material.hint : undefined;
  return keys.toSorted((a, b) => Number(b.hint === hint) - Number(a.hint === hint));
}

function notSigned({ material }: Bundle, keys: readonly PublicKey[]): RejectedSeal {
  const expected = `a signature by ${keys.length === 0 ? 'a key, and none was given' : keys.map(({ hint }) => `key ${hint}`).join(' or ')}`;
  if (material.kind === 'certificate') return rejected('certificate-material', 'a seal by a certificate', expected);
  if (material.hint === undefined)
    return rejected('signature-invalid', 'a signature by none of the expected keys', expected);
  return rejected(
    'signature-invalid',
    keys.some(({ hint }) => hint === material.hint)
      ? `a signature that does not hold, of a bundle that names the expected key ${material.hint}`
      : `a signature of a bundle that names another key, ${printable(material.hint)}`,
    expected,
  );
}
