// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Json } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import { encodeGoMap } from './go-map.ts';
import { parseStrictObject, type JsonObject } from './strict-json.ts';

/** An in-toto statement: something was said about these subjects. @see https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md */
export interface Statement {
  /** `_type`: v0.1 or v1 */
  readonly type: string;
  readonly subjects: readonly Subject[];
  /** what kind of thing was said, a URI */
  readonly predicateType: string;
  readonly predicate: Json | undefined;
}

/** What a statement is about. */
export interface Subject {
  readonly name?: string;
  /** algorithm to value; values in hex are in lower case */
  readonly digest: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, Json>>;
}

/** The predicate type of a plain signature by cosign 3. */
export const SIGN_PREDICATE_TYPE = 'https://sigstore.dev/cosign/sign/v1';

/** The versions of in-toto statements, by the number in their name. */
export const STATEMENT_TYPES = {
  '0.1': 'https://in-toto.io/Statement/v0.1',
  '1': 'https://in-toto.io/Statement/v1',
} as const;
const STATEMENT_V1 = STATEMENT_TYPES['1'];
const READ_TYPES: readonly string[] = [STATEMENT_V1, STATEMENT_TYPES['0.1']];
// The caps of sigstore-go, set after GHSA-cq38-jh5f-37mq.
const MAX_SUBJECTS = 1024;
const MAX_DIGESTS = 32;
/** The envelope was capped already. */
const MAX_BYTES = 128 * 1024 * 1024;
/** An SBOM of a large image has some hundred thousand values. */
const MAX_VALUES = 2_000_000;

/**
 * Reads the payload of an envelope as a statement. Members that in-toto does not name are skipped, as it asks of readers.
 *
 * @throws TrustError `statement-malformed`; WireError `too-large`, `json-too-deep`, `json-malformed`
 */
export function decodeStatement(payload: Uint8Array): Statement {
  const value = parseStrictObject(payload, 'the statement', 'statement-malformed', MAX_BYTES, MAX_VALUES);
  const { _type: type, subject, predicateType, predicate } = value;
  if (typeof type !== 'string' || !READ_TYPES.includes(type)) {
    const found = typeof type === 'string' ? `'${printable(type)}'` : 'nothing';
    throw malformed(`the _type ${found}, expected ${READ_TYPES.join(' or ')}`);
  }
  if (typeof predicateType !== 'string') throw malformed("no text 'predicateType'");
  if (!Array.isArray(subject) || subject.length === 0) throw malformed("no list 'subject' with anything in it");
  if (subject.length > MAX_SUBJECTS) throw malformed(`${subject.length} subjects, at most ${MAX_SUBJECTS} are read`);
  return { type, subjects: subject.map((item: Json, index) => decodeSubject(item, index)), predicateType, predicate };
}

/**
 * The statement of a plain signature, byte for byte what cosign 3 signs: annotations go to the subject, sorted, and nothing is
 * escaped that JSON does not demand.
 *
 * @throws TrustError `payload-malformed` if an annotation is no Unicode
 * @example encodeSignStatement({ algorithm: 'sha256', hex: '4ed3…' }, { env: 'prod' })
 */
export function encodeSignStatement(
  digest: { readonly algorithm: string; readonly hex: string },
  annotations: Readonly<Record<string, string>>,
): Uint8Array {
  const subject = `{"digest":${encodeGoMap({ [digest.algorithm]: digest.hex }, plain)},"annotations":${encodeGoMap(annotations, plain)}}`;
  const members = [
    `"_type":${plain(STATEMENT_V1)}`,
    `"subject":[${subject}]`,
    `"predicateType":${plain(SIGN_PREDICATE_TYPE)}`,
    '"predicate":{}',
  ];
  return new TextEncoder().encode(`{${members.join(',')}}`);
}

/** What is to be said, and of what. */
export interface NewStatement {
  /** of in-toto; 0.1 unless told, as cosign writes it */
  readonly version?: keyof typeof STATEMENT_TYPES;
  readonly subjects: readonly {
    readonly name?: string;
    readonly digest: { readonly algorithm: string; readonly hex: string };
  }[];
  readonly predicateType: string;
  readonly predicate: Json;
}

/**
 * The statement of an attestation as cosign 3 writes it: members in this order, those of the predicate sorted as Go's maps are.
 *
 * @throws TrustError `payload-malformed` if a text is no Unicode
 * @example encodeStatement({ subjects: [{ name: 'registry/app', digest }], predicateType: 'https://openvex.dev/ns', predicate })
 */
export function encodeStatement({ version = '0.1', subjects, predicateType, predicate }: NewStatement): Uint8Array {
  const named = subjects.map(({ name, digest }) => {
    const digests = `"digest":${encodeGoMap({ [digest.algorithm]: digest.hex }, plain)}`;
    return name === undefined ? `{${digests}}` : `{"name":${encodeGoMap(name, plain)},${digests}}`;
  });
  const members = [
    `"_type":${plain(STATEMENT_TYPES[version])}`,
    `"subject":[${named.join(',')}]`,
    `"predicateType":${encodeGoMap(predicateType, plain)}`,
    `"predicate":${encodeGoMap(predicate, plain)}`,
  ];
  return new TextEncoder().encode(`{${members.join(',')}}`);
}

function plain(value: Json): string {
  return JSON.stringify(value);
}

function decodeSubject(value: Json, index: number): Subject {
  if (!isJsonObject(value)) throw malformed(`a subject ${index} that is no object`);
  const { name, annotations } = value;
  if (name !== undefined && name !== null && typeof name !== 'string')
    throw malformed(`a subject ${index} whose 'name' is no text`);
  if (annotations !== undefined && annotations !== null && !isJsonObject(annotations)) {
    throw malformed(`a subject ${index} whose 'annotations' are no object`);
  }
  return {
    ...(typeof name === 'string' ? { name } : {}),
    digest: decodeDigests(value, index),
    ...(isJsonObject(annotations) ? { annotations } : {}),
  };
}

function decodeDigests(subject: JsonObject, index: number): Readonly<Record<string, string>> {
  const { digest } = subject;
  if (!isJsonObject(digest)) throw malformed(`a subject ${index} without an object 'digest'`);
  const entries = Object.entries(digest);
  if (entries.length === 0 || entries.length > MAX_DIGESTS) {
    throw malformed(`a subject ${index} with ${entries.length} digests, expected 1 to ${MAX_DIGESTS}`);
  }
  // fromEntries defines members, so that '__proto__' is a name like any other.
  return Object.fromEntries(
    entries.map(([algorithm, value]) => {
      if (typeof value !== 'string')
        throw malformed(`a subject ${index} whose digest '${printable(algorithm)}' is no text`);
      return [algorithm, /^[0-9A-Fa-f]+$/.test(value) ? value.toLowerCase() : value];
    }),
  );
}

function malformed(found: string): TrustError {
  return new TrustError('statement-malformed', `the payload is no in-toto statement: it has ${found}`);
}
