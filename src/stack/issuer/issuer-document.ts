// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import { CodedError, isJsonObject } from '../../wire/index.ts';
import { IssuerError } from './issuer-error.ts';
import { parseRedirectUri, type RedirectUri } from './redirect-uri.ts';
import { checkClaims, parseSubject, type Claims } from './subject.ts';

/** A person who logs in with a password. */
export interface User {
  readonly name: string;
  /** the subject of the tokens, verified by who wrote the document */
  readonly email: string;
  /** bcrypt */
  readonly password: string;
  readonly claims: Claims;
}

/** A program that people log in with. */
export interface Client {
  readonly id: string;
  /** SHA-256 of its secret; a program that everybody has holds none */
  readonly secret?: Uint8Array;
  readonly redirectUris: readonly RedirectUri[];
  /** whom its tokens are for beside itself */
  readonly audiences: readonly string[];
}

/** A pipeline or machine that has a static token. */
export interface Workload {
  readonly id: string;
  /** an e-mail address or a URI */
  readonly subject: string;
  /** SHA-256 of its token */
  readonly token: Uint8Array;
  readonly audiences: readonly string[];
  readonly claims: Claims;
}

/** Who may get tokens, and for whom. */
export interface IssuerDocument {
  readonly users: ReadonlyMap<string, User>;
  readonly clients: ReadonlyMap<string, Client>;
  readonly workloads: ReadonlyMap<string, Workload>;
}

type Members = { readonly [name: string]: Json };

const MAX_BYTES = 4 * 1024 * 1024;
const MAX_ENTRIES = 10_000;
const MAX_LIST = 32;
const MAX_DEPTH = 16;
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
const LARGEST_COST = 15;
const NAME = /^[\x21-\x39\x3b-\x7e]{1,128}$/; // Basic authentication ends a name at a colon
const LOOPBACK_CALLBACKS = ['localhost', '127.0.0.1', '[::1]'].map((host) => `http://${host}/auth/callback`);

/** The client of cosign and gitsign, which is there unless the document has one of its name. */
export const SIGSTORE_CLIENT: Client = {
  id: 'sigstore',
  redirectUris: LOOPBACK_CALLBACKS.flatMap((text) => parseRedirectUri(text) ?? []),
  audiences: [],
};

/** Nobody but who mints a token with the key itself. */
export const EMPTY_DOCUMENT: IssuerDocument = {
  users: new Map(),
  clients: new Map([[SIGSTORE_CLIENT.id, SIGSTORE_CLIENT]]),
  workloads: new Map(),
};

/**
 * Reads the document that says who may get tokens; YAML, so JSON as well. README.md of this folder describes it.
 *
 * @param what names the file in errors; no hash appears in them
 * @throws IssuerError `issuer-document-malformed`
 */
export async function decodeIssuerDocument(text: string, what: string): Promise<IssuerDocument> {
  if (text.length > MAX_BYTES) throw malformed(what, `${text.length} characters, at most ${MAX_BYTES} are read`);
  const { parse } = await import('yaml');
  let parsed: unknown;
  try {
    parsed = parse(text, { uniqueKeys: true, schema: 'core', logLevel: 'error' });
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split('\n', 1)[0] ?? '') : String(cause);
    throw new IssuerError('issuer-document-malformed', `${what} is not YAML: ${reason}`, { cause });
  }
  try {
    demandShallow(parsed, MAX_DEPTH);
    return readDocument((parsed ?? {}) as Json);
  } catch (cause) {
    if (cause instanceof CodedError) throw malformed(what, cause.message, cause);
    throw cause;
  }
}

function readDocument(json: Json): IssuerDocument {
  const document = members(json, 'the document', ['users', 'clients', 'workloads']);
  const users = readEntries(document['users'], 'users', readUser);
  const clients = readEntries(document['clients'], 'clients', readClient);
  const workloads = readEntries(document['workloads'], 'workloads', readWorkload);
  const both = [...workloads.keys()].find((id) => clients.has(id) || id === SIGSTORE_CLIENT.id);
  if (both !== undefined) throw wrong(`workloads.${both}`, 'the name of a client', 'a name of its own');
  return { users, clients: new Map([[SIGSTORE_CLIENT.id, SIGSTORE_CLIENT], ...clients]), workloads };
}

function demandShallow(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth === 0) throw wrong('the document', `more than ${MAX_DEPTH} levels`, 'fewer');
  for (const inner of Object.values(value)) demandShallow(inner, depth - 1);
}

function readEntries<Entry>(
  json: Json | undefined,
  place: string,
  read: (name: string, entry: Json, place: string) => Entry,
): ReadonlyMap<string, Entry> {
  if (json === undefined || json === null) return new Map();
  if (!isJsonObject(json)) throw wrong(place, 'no mapping', 'names and what they stand for');
  const entries = Object.entries(json);
  if (entries.length > MAX_ENTRIES) throw wrong(place, `${entries.length} entries`, `at most ${MAX_ENTRIES}`);
  return new Map(
    entries.map(([name, entry]) => {
      if (!NAME.test(name))
        throw wrong(place, `the name ${JSON.stringify(name.slice(0, 64))}`, 'one of printable ASCII without a colon');
      return [name, read(name, entry, `${place}.${name}`)];
    }),
  );
}

function readUser(name: string, json: Json, place: string): User {
  const { email, password, claims } = members(json, place, ['email', 'password', 'claims']);
  if (typeof email !== 'string' || parseSubject(email).kind !== 'email')
    throw wrong(`${place}.email`, 'no e-mail address', 'one');
  const cost = typeof password === 'string' ? BCRYPT.exec(password)?.[1] : undefined;
  if (typeof password !== 'string' || cost === undefined || Number(cost) < 4 || Number(cost) > LARGEST_COST)
    throw wrong(`${place}.password`, 'something else', `a bcrypt hash of cost 4 to ${LARGEST_COST} (htpasswd -nB)`);
  return { name, email, password, claims: readClaims(claims) };
}

function readClient(id: string, json: Json, place: string): Client {
  const fields = members(json, place, ['secret', 'redirect-uris', 'audiences']);
  const { secret, audiences } = fields;
  const redirectUris = readTexts(fields['redirect-uris'], `${place}.redirect-uris`).map((text) => {
    const uri = parseRedirectUri(text);
    if (uri !== undefined) return uri;
    const found = JSON.stringify(text.slice(0, 128));
    throw wrong(`${place}.redirect-uris`, found, 'https, or http to a loopback address, without user and fragment');
  });
  return {
    id,
    redirectUris,
    audiences: readTexts(audiences, `${place}.audiences`),
    ...(secret === undefined ? {} : { secret: readDigest(secret, `${place}.secret`) }),
  };
}

function readWorkload(id: string, json: Json, place: string): Workload {
  const { subject, token, audiences, claims } = members(json, place, ['subject', 'token', 'audiences', 'claims']);
  if (typeof subject !== 'string') throw wrong(`${place}.subject`, 'no text', 'an e-mail address or a URI');
  return {
    id,
    subject: parseSubject(subject).text,
    token: readDigest(token, `${place}.token`),
    audiences: audiences === undefined ? ['sigstore'] : readTexts(audiences, `${place}.audiences`),
    claims: readClaims(claims),
  };
}

function readClaims(json: Json | undefined): Claims {
  if (json === undefined) return {};
  if (!isJsonObject(json)) throw wrong('claims', 'no mapping', 'names and values');
  return checkClaims(json);
}

function readDigest(json: Json | undefined, place: string): Uint8Array {
  const hex = typeof json === 'string' ? /^sha256:([0-9a-f]{64})$/.exec(json)?.[1] : undefined;
  if (hex === undefined) throw wrong(place, 'something else', 'sha256: and the SHA-256 of the secret in 64 hex digits');
  return Buffer.from(hex, 'hex');
}

function readTexts(json: Json | undefined, place: string): readonly string[] {
  if (json === undefined) return [];
  const texts = Array.isArray(json)
    ? json.filter((item: Json) => typeof item === 'string' && /^[\x21-\x7e]+$/.test(item))
    : [];
  if (!Array.isArray(json) || texts.length !== json.length || texts.length > MAX_LIST)
    throw wrong(place, 'something else', `a list of at most ${MAX_LIST} texts of printable ASCII`);
  return texts;
}

function members(json: Json, place: string, known: readonly string[]): Members {
  if (!isJsonObject(json)) throw wrong(place, 'no mapping', `one with ${known.join(', ')}`);
  const unknown = Object.keys(json).find((name) => !known.includes(name));
  if (unknown === undefined) return json;
  throw wrong(place, `the member ${JSON.stringify(unknown.slice(0, 64))}`, `only ${known.join(', ')}`);
}

function wrong(place: string, found: string, expected: string): IssuerError {
  return new IssuerError('issuer-document-malformed', `${place} has ${found}, expected ${expected}`);
}

function malformed(what: string, found: string, cause?: unknown): IssuerError {
  return new IssuerError('issuer-document-malformed', `${what}: ${found}`, { cause });
}
