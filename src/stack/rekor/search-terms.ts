// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import {
  decodeStatement,
  IN_TOTO_PAYLOAD_TYPE,
  readFulcioClaims,
  TrustError,
  type Certificate,
  type Envelope,
  type FulcioClaims,
  type LogDigest,
  type PublicKey,
} from '../../trust/index.ts';
import { isJsonObject, WireError, type Json } from '../../wire/index.ts';

/** What entries are found by. */
export type TermKind =
  /** a subject alternative name of the certificate: an e-mail address, a URI, a username */
  | 'identity'
  /** who vouched for the identity */
  | 'issuer'
  /** of what was signed, of an envelope, of its payload, and of what a statement is about: `sha256:…` */
  | 'digest'
  /** SHA-256 of the SubjectPublicKeyInfo in DER, in hex */
  | 'key'
  /** SHA-256 of the certificate in DER, in hex */
  | 'certificate'
  /** where the source is kept: `https://github.com/owner/name`, and `owner/name` */
  | 'repository'
  /** the build instructions, with and without the ref after them, and the name of a GitHub workflow */
  | 'workflow';

/** of an entry, as the log has it */
const MAX_TERMS = 256;
/** characters that a log takes in a term */
const MAX_LENGTH = 1024;

/** The term of a value. Case does not count; what is too long for an index is there by its hash. */
export function searchTerm(kind: TermKind, value: string): string {
  const text = `${kind}:${value.toLowerCase()}`;
  const plain = text.length <= MAX_LENGTH && text === text.toLowerCase() && text.isWellFormed() && !text.includes('\0');
  return plain ? text : `${kind}:~${hash('sha256', text, 'hex')}`;
}

export function digestTerm({ algorithm, bytes }: LogDigest): string {
  return searchTerm('digest', `${algorithm}:${Buffer.from(bytes).toString('hex')}`);
}

export function keyTerm({ spki }: Pick<PublicKey, 'spki'>): string {
  return searchTerm('key', hash('sha256', spki, 'hex'));
}

export function certificateTerm({ der }: Pick<Certificate, 'der'>): string {
  return searchTerm('certificate', hash('sha256', der, 'hex'));
}

/** Who a certificate says that its holder is. Nobody has verified it: a search finds what claims to be somebody, which is what one looks for. */
export function certificateTerms(certificate: Certificate): readonly string[] {
  const names = certificate.subjectAltNames.flatMap((name) =>
    name.kind === 'other' ? [] : [searchTerm('identity', name.value)],
  );
  return [certificateTerm(certificate), ...names, ...claimTerms(claimsOf(certificate))];
}

/** The digests that an envelope is about: of its payload and, where that is a statement, of its subjects and of what they were made from. */
export function envelopeTerms({ payloadType, payload }: Envelope): readonly string[] {
  const whole = searchTerm('digest', `sha256:${hash('sha256', payload, 'hex')}`);
  if (payloadType !== IN_TOTO_PAYLOAD_TYPE) return [whole];
  try {
    const { subjects, predicate } = decodeStatement(payload);
    const about = subjects.flatMap(({ digest }) => digestTerms(digest));
    // Where not all fit, those that images and blobs are looked for by come first.
    const usual = about.filter((term) => term.startsWith('digest:sha256:'));
    return [whole, ...usual, ...about, ...materialsOf(predicate).flatMap(digestTerms)];
  } catch (error) {
    // A payload of another form is entered all the same: logs take envelopes, whatever is in them.
    if (error instanceof TrustError || error instanceof WireError) return [whole];
    throw error;
  }
}

/** Each term once, the first ones where there are more than a log keeps. */
export function distinctTerms(terms: readonly string[]): readonly string[] {
  return [...new Set(terms)].slice(0, MAX_TERMS);
}

function claimsOf(certificate: Certificate): FulcioClaims {
  try {
    return readFulcioClaims(certificate);
  } catch (error) {
    if (error instanceof TrustError) return {}; // broken claims are nobody's
    throw error;
  }
}

function claimTerms(claims: FulcioClaims): readonly string[] {
  const { issuer, sourceRepositoryUri, githubWorkflowRepository } = claims;
  const { buildSignerUri, buildConfigUri, githubWorkflowName } = claims;
  const workflows = [buildSignerUri, buildConfigUri].flatMap((uri) =>
    uri === undefined ? [] : [uri, uri.replace(/@refs\/[^@]*$/, '')],
  );
  return [
    ...termsOf('issuer', [issuer]),
    ...termsOf('repository', [sourceRepositoryUri, githubWorkflowRepository]),
    ...termsOf('workflow', [...workflows, githubWorkflowName]),
  ];
}

function termsOf(kind: TermKind, values: readonly (string | undefined)[]): readonly string[] {
  return values.flatMap((value) => (value === undefined || value === '' ? [] : [searchTerm(kind, value)]));
}

// SLSA calls them materials (0.1, 0.2), and later resolved dependencies (1.0).
function materialsOf(predicate: Json | undefined): readonly Readonly<Record<string, Json>>[] {
  if (!isJsonObject(predicate)) return [];
  const definition = predicate['buildDefinition'];
  const listed = [predicate['materials'], isJsonObject(definition) ? definition['resolvedDependencies'] : undefined];
  return listed.flatMap((list) =>
    Array.isArray(list)
      ? list.flatMap((item: Json) => (isJsonObject(item) && isJsonObject(item['digest']) ? [item['digest']] : []))
      : [],
  );
}

function digestTerms(digests: Readonly<Record<string, Json>>): readonly string[] {
  return Object.entries(digests).flatMap(([algorithm, value]) =>
    typeof value === 'string' ? [searchTerm('digest', `${algorithm}:${value}`)] : [],
  );
}
