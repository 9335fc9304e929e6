// SPDX-License-Identifier: Apache-2.0
import { decodePublicKey, decodeCertificates, printable, TrustError } from '../../trust/index.ts';
import { decodeBase64, isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import { RekorError } from './rekor-error.ts';
import { certificateTerm, keyTerm, searchTerm, type TermKind } from './search-terms.ts';

/** What a client searches for. */
export interface SearchRequest {
  readonly terms: readonly string[];
  readonly operator: 'and' | 'or';
  /** how many it wants to have; all, if it does not say */
  readonly limit?: number;
  /** entries after this one alone */
  readonly after?: number;
}

const MAX_BYTES = 256 * 1024;
const MAX_LIMIT = 1000;
/** by how many digits they have */
const DIGESTS: ReadonlyMap<number, string> = new Map([
  [40, 'sha1'],
  [64, 'sha256'],
  [96, 'sha384'],
  [128, 'sha512'],
]);
const TEXTS: ReadonlyMap<string, TermKind> = new Map([
  ['email', 'identity'],
  ['subject', 'identity'],
  ['issuer', 'issuer'],
  ['repository', 'repository'],
  ['workflow', 'workflow'],
]);
const MEMBERS = [...TEXTS.keys(), 'hash', 'publicKey', 'operator', 'limit', 'after'];

/**
 * Reads a search: `email`, `hash`, `publicKey` and `operator` as Rekor v1 has them, and `subject`, `issuer`, `repository`, `workflow`,
 * `limit` and `after` of ours. Without an operator one thing may be searched for; of several any will do, as Rekor has it.
 *
 * @throws RekorError `request-malformed`, `key-unsupported`; WireError `json-malformed`, `json-too-deep`, `too-large`
 * @see https://github.com/sigstore/rekor/blob/main/openapi.yaml (`SearchIndex`)
 */
export function decodeSearch(bytes: Uint8Array): SearchRequest {
  const query = parseJson(bytes, { what: 'the search', maxBytes: MAX_BYTES, maxDepth: 8 });
  if (!isJsonObject(query)) throw malformed('is no object');
  const unknown = Object.keys(query).find((name) => !MEMBERS.includes(name));
  if (unknown !== undefined)
    throw malformed(`has the member '${printable(unknown, 60)}', expected ${MEMBERS.join(', ')}`);
  const terms = [...TEXTS].flatMap(([name, kind]) => textTerm(query[name], name, kind));
  if (isGiven(query['hash'])) terms.push(hashTerm(query['hash']));
  if (isGiven(query['publicKey'])) terms.push(publicKeyTerm(query['publicKey']));
  if (terms.length === 0) throw malformed(`asks for nothing, expected ${MEMBERS.slice(0, -3).join(', ')}`);
  const operator = query['operator'] ?? '';
  if (operator !== '' && operator !== 'and' && operator !== 'or')
    throw malformed("has an operator other than 'and', 'or'");
  return {
    terms: [...new Set(terms)],
    operator: operator === '' ? 'or' : operator,
    ...countMember(query['limit'], 'limit', 1, MAX_LIMIT),
    ...countMember(query['after'], 'after', 0, Number.MAX_SAFE_INTEGER),
  };
}

// Go's clients write members that they were not given.
function isGiven(value: Json | undefined): value is Exclude<Json, null | ''> {
  return value !== undefined && value !== null && value !== '';
}

function textTerm(value: Json | undefined, name: string, kind: TermKind): readonly string[] {
  if (!isGiven(value)) return [];
  if (typeof value !== 'string') throw malformed(`has a '${name}' that is no text`);
  return [searchTerm(kind, value)];
}

function hashTerm(value: Json): string {
  const [, named, hex = ''] =
    typeof value === 'string' ? (/^(?:(sha1|sha256|sha384|sha512):)?([0-9a-fA-F]+)$/.exec(value) ?? []) : [];
  const algorithm = DIGESTS.get(hex.length);
  if (algorithm === undefined || (named !== undefined && named !== algorithm))
    throw malformed("has a 'hash' that is none, expected sha256:, sha384:, sha512: or sha1: and hexadecimal digits");
  return searchTerm('digest', `${algorithm}:${hex}`);
}

function publicKeyTerm(value: Json): string {
  if (!isJsonObject(value)) throw malformed("has a 'publicKey' that is no object");
  const { format, content, url } = value;
  // Whoever could make the log fetch would make it fetch from inside.
  if (isGiven(url)) throw malformed("has a 'publicKey.url', expected its 'content'");
  if (isGiven(format) && format !== 'x509')
    throw new RekorError(
      'key-unsupported',
      `the search is for a key of the format ${typeof format === 'string' ? printable(format, 20) : 'no text'}, expected x509`,
    );
  if (typeof content !== 'string' || content === '') throw malformed("has a 'publicKey' without 'content'");
  const file = decodeBase64(content, 'publicKey.content');
  try {
    const isCertificate = Buffer.from(file).includes('-----BEGIN CERTIFICATE-----');
    return isCertificate
      ? certificateTerm(decodeCertificates(file, 'publicKey.content')[0])
      : keyTerm(decodePublicKey(file, 'publicKey.content'));
  } catch (error) {
    if (error instanceof TrustError) throw new RekorError('key-unsupported', error.message, { cause: error });
    throw error;
  }
}

function countMember<Name extends string>(
  value: Json | undefined,
  name: Name,
  least: number,
  most: number,
): { readonly [K in Name]?: number } {
  if (value === undefined || value === null) return {};
  const number = typeof value === 'string' && /^[0-9]{1,16}$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < least || number > most)
    throw malformed(`has a '${name}' that is no number from ${least} to ${most}`);
  return { [name]: number } as { readonly [K in Name]: number };
}

function malformed(found: string): RekorError {
  return new RekorError('request-malformed', `the search ${found}`);
}
