// SPDX-License-Identifier: Apache-2.0
import { decodePublicKey, type PublicKey, type ValidityPeriod } from '../../trust/index.ts';
import { decodeBase64, encodeBase64, isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import { KeyRingError } from './key-ring-error.ts';
import { CERTIFIED_ROLES, KEY_ROLES } from './key-role.ts';
import type { RingKey, RingSettings } from './ring-key.ts';

/** What `ring.json` says: every key, public. It is the commit point of each change. */
export interface RingManifest {
  readonly created: Date;
  readonly settings: RingSettings;
  /** whether the files of the keys need a password */
  readonly encrypted: boolean;
  /** oldest first; their chains lie in files of their own */
  readonly keys: readonly RingKey[];
}

export const MANIFEST_NAME = 'ring.json';
export const MAX_MANIFEST_BYTES: number = 4 * 1024 * 1024;

const FORMAT = 1;
const MAX_KEYS = 4096;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/** Writes `ring.json`. */
export function encodeManifest({ created, settings, encrypted, keys }: RingManifest): string {
  const manifest: Json = {
    format: FORMAT,
    created: created.toISOString(),
    organization: settings.organization,
    authorityAlgorithm: settings.authorityAlgorithm,
    offlineRoot: settings.offlineRoot,
    encrypted,
    keys: keys.map(keyJson),
  };
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

function keyJson({ id, role, state, place, created, validFor, publicKey, origin }: RingKey): Json {
  return {
    id,
    role,
    state,
    place,
    created: created.toISOString(),
    validFor: {
      start: validFor.start.toISOString(),
      ...(validFor.end === undefined ? {} : { end: validFor.end.toISOString() }),
    },
    algorithm: publicKey.algorithm,
    publicKey: encodeBase64(publicKey.spki),
    ...(origin === undefined ? {} : { origin }),
  };
}

/**
 * Reads `ring.json`, strictly: a field that is not known may be a limit.
 *
 * @param what names the file in errors
 * @throws KeyRingError `ring-malformed`, `ring-newer`
 */
export function decodeManifest(bytes: Uint8Array, what: string): RingManifest {
  let document: Json;
  try {
    document = parseJson(bytes, { what, maxBytes: MAX_MANIFEST_BYTES });
  } catch (cause) {
    throw new KeyRingError('ring-malformed', `${what} is no manifest of a key ring`, { cause });
  }
  const fields = new Fields(document, what);
  // The format comes first: what a later one looks like is not known here.
  const format = fields.take('format');
  if (typeof format === 'number' && format > FORMAT)
    throw new KeyRingError('ring-newer', `${what} has format ${format}, and this program knows none beyond ${FORMAT}`);
  if (format !== FORMAT) throw fields.malformed('format', `expected ${FORMAT}`);
  const manifest: RingManifest = {
    created: fields.time('created'),
    settings: {
      organization: fields.text('organization'),
      authorityAlgorithm: fields.oneOf('authorityAlgorithm', ['ecdsa-p256', 'ecdsa-p384']),
      offlineRoot: fields.flag('offlineRoot'),
    },
    encrypted: fields.flag('encrypted'),
    keys: fields.list('keys').map(readKey),
  };
  fields.end();
  if (new Set(manifest.keys.map(({ id }) => id)).size !== manifest.keys.length)
    throw new KeyRingError('ring-malformed', `${what} lists a key twice`);
  return manifest;
}

function readKey(fields: Fields): RingKey {
  const id = fields.text('id');
  const role = fields.oneOf('role', KEY_ROLES);
  const state = fields.oneOf('state', ['active', 'retired']);
  const place = fields.oneOf('place', ['ring', 'offline']);
  const created = fields.time('created');
  const validFor = readPeriod(fields.object('validFor'));
  const algorithm = fields.text('algorithm');
  const publicKey = readPublicKey(fields.text('publicKey'), fields);
  const origin = fields.optionalText('origin');
  fields.end();
  if (publicKey.algorithm !== algorithm) throw fields.malformed('algorithm', `expected ${publicKey.algorithm}`);
  if (id !== keyId(role, publicKey)) throw fields.malformed('id', `expected ${keyId(role, publicKey)}`);
  if ((role === 'log-v2') !== (origin !== undefined))
    throw fields.malformed('origin', 'expected one of each log of Rekor v2, and of nothing else');
  return { id, role, state, place, created, validFor, publicKey, ...(origin === undefined ? {} : { origin }) };
}

function readPeriod(fields: Fields): ValidityPeriod {
  const start = fields.time('start');
  const end = fields.has('end') ? fields.time('end') : undefined;
  fields.end();
  if (end !== undefined && end < start) throw fields.malformed('end', 'expected none before the start');
  return { start, ...(end === undefined ? {} : { end }) };
}

function readPublicKey(text: string, fields: Fields): PublicKey {
  try {
    return decodePublicKey(decodeBase64(text, 'the key'), 'the key');
  } catch (cause) {
    throw fields.malformed('publicKey', 'expected the base64 of a public key', cause);
  }
}

/** The name of a key: it says what the key is for, and no two keys have the same. */
export function keyId(role: RingKey['role'], { hint }: PublicKey): string {
  return `${role}-${Buffer.from(hint, 'base64').subarray(0, 8).toString('hex')}`;
}

/** Whether a key of this role has a file of certificates. */
export function hasChain({ role }: Pick<RingKey, 'role'>): boolean {
  return CERTIFIED_ROLES.has(role);
}

class Fields {
  readonly #what: string;
  readonly #fields: { readonly [key: string]: Json };
  readonly #read = new Set<string>();

  constructor(value: Json | undefined, what: string) {
    if (!isJsonObject(value)) throw new KeyRingError('ring-malformed', `${what} is no object`);
    this.#fields = value;
    this.#what = what;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  take(name: string): Json | undefined {
    this.#read.add(name);
    return this.has(name) ? this.#fields[name] : undefined;
  }

  text(name: string): string {
    const value = this.take(name);
    if (typeof value !== 'string' || value === '') throw this.malformed(name, 'expected text');
    return value;
  }

  optionalText(name: string): string | undefined {
    return this.has(name) ? this.text(name) : undefined;
  }

  flag(name: string): boolean {
    const value = this.take(name);
    if (typeof value !== 'boolean') throw this.malformed(name, 'expected true or false');
    return value;
  }

  oneOf<const Name extends string>(field: string, names: readonly Name[]): Name {
    const value = this.take(field);
    const found = names.find((name) => name === value);
    if (found === undefined) throw this.malformed(field, `expected one of ${names.join(', ')}`);
    return found;
  }

  time(name: string): Date {
    const value = this.take(name);
    const time = typeof value === 'string' && TIME.test(value) ? new Date(value) : undefined;
    if (time === undefined || Number.isNaN(time.getTime())) throw this.malformed(name, 'expected a time in UTC');
    return time;
  }

  object(name: string): Fields {
    return new Fields(this.take(name), `${this.#what}.${name}`);
  }

  list(name: string): readonly Fields[] {
    const value = this.take(name);
    if (!Array.isArray(value) || value.length > MAX_KEYS) throw this.malformed(name, `expected at most ${MAX_KEYS}`);
    return value.map((item: Json, index) => new Fields(item, `${this.#what}.${name}[${index}]`));
  }

  end(): void {
    if (Object.keys(this.#fields).some((name) => !this.#read.has(name)))
      throw new KeyRingError('ring-malformed', `${this.#what} has a field that is not known`);
  }

  malformed(name: string, expected: string, cause?: unknown): KeyRingError {
    return new KeyRingError('ring-malformed', `${this.#what}.${name} is not as it must be: ${expected}`, { cause });
  }
}
