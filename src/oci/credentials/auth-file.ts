// SPDX-License-Identifier: Apache-2.0
import { decodeBase64, isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import { RegistryError } from '../error.ts';
import { quoted } from '../quoted.ts';
import { readSmallFile } from '../small-file.ts';
import type { Credentials } from './credentials.ts';

type JsonObject = { readonly [key: string]: Json };

const MAX_BYTES = 1024 * 1024;
const DOCKER_HUB: ReadonlySet<string> = new Set(['index.docker.io', 'docker.io', 'registry-1.docker.io']);

/**
 * Reads docker's `config.json` or podman's `auth.json`. Undefined where it is not there.
 * @throws RegistryError `credentials-malformed`; no error shows anything of the contents but keys
 */
export function readAuthFile(path: string): AuthFile | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readSmallFile(path, MAX_BYTES);
  } catch (error) {
    if (error instanceof RangeError) throw malformed(path, `has more than ${MAX_BYTES} bytes`);
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw malformed(path, `cannot be read (${code})`);
  }
  return new AuthFile(path, decode(path, bytes));
}

function decode(path: string, bytes: Uint8Array): JsonObject {
  let json: Json;
  try {
    json = parseJson(bytes, { what: path, maxBytes: MAX_BYTES });
  } catch {
    throw malformed(path, 'is not JSON'); // the parser's own words would show how it begins
  }
  if (isJsonObject(json)) return json;
  throw malformed(path, 'is not a JSON object');
}

/** What a file says about registries. Only what concerns the registry that is asked for is looked at. */
export class AuthFile {
  readonly path: string;
  readonly #json: JsonObject;

  constructor(path: string, json: JsonObject) {
    this.path = path;
    this.#json = json;
  }

  /** The program that holds the credentials for a registry (`docker-credential-<name>`). */
  helper(registry: string): string | undefined {
    const helpers = this.#object('credHelpers');
    const own = helpers === undefined ? undefined : lookUp(helpers, [registry]);
    const name = own?.value ?? this.#json['credsStore'];
    if (name === undefined || name === null || name === '') return undefined;
    const where = own === undefined ? 'credsStore' : `credHelpers[${quoted(own.key)}]`;
    if (typeof name === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return name;
    throw malformed(this.path, `has a ${where} that is not the name of a program`);
  }

  /** The credentials in the file itself, those for the nearest part of the registry first. */
  credentials(registry: string, repository: string | undefined): Credentials | undefined {
    const auths = this.#object('auths');
    if (auths === undefined) return undefined;
    const entry = lookUp(auths, places(registry, repository));
    if (entry === undefined) return undefined;
    const where = `auths[${quoted(entry.key)}]`;
    if (!isJsonObject(entry.value)) throw malformed(this.path, `has an ${where} that is not an object`);
    return this.#decodeEntry(entry.value, where);
  }

  #decodeEntry(entry: JsonObject, where: string): Credentials | undefined {
    const text = (member: string): string => {
      const value = entry[member];
      if (value === undefined || value === null) return '';
      if (typeof value === 'string') return value;
      throw malformed(this.path, `has an ${where}.${member} that is not a string`);
    };
    const source = this.path;
    const registryToken = text('registrytoken');
    if (registryToken !== '') return { kind: 'registry-token', token: registryToken, source };
    const identityToken = text('identitytoken');
    if (identityToken !== '') return { kind: 'identity-token', token: identityToken, source };
    const auth = text('auth');
    if (auth !== '') return { kind: 'basic', ...this.#decodeAuth(auth, where), source };
    const username = text('username');
    return username === '' ? undefined : { kind: 'basic', username, password: text('password'), source };
  }

  #decodeAuth(auth: string, where: string): { readonly username: string; readonly password: string } {
    const pair = decodePair(auth);
    if (pair !== undefined) return pair;
    throw malformed(this.path, `has an ${where}.auth that is not 'user:password' in base64`);
  }

  #object(member: string): JsonObject | undefined {
    const value = this.#json[member];
    if (value === undefined || value === null) return undefined;
    if (isJsonObject(value)) return value;
    throw malformed(this.path, `has a member '${member}' that is not an object`);
  }
}

function decodePair(auth: string): { username: string; password: string } | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(decodeBase64(auth.trim(), 'auth'));
    const colon = text.indexOf(':');
    if (colon <= 0) return undefined;
    // docker pads passwords with zero bytes
    return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
  } catch {
    return undefined;
  }
}

/** `host/team/app`, `host/team`, `host`: podman's namespaces, the nearest first. */
function places(registry: string, repository: string | undefined): readonly string[] {
  const parts = repository === undefined ? [] : repository.split('/');
  return [...parts.keys(), parts.length].toReversed().map((length) => [registry, ...parts.slice(0, length)].join('/'));
}

function lookUp(
  map: JsonObject,
  wanted: readonly string[],
): { readonly key: string; readonly value: Json } | undefined {
  for (const place of wanted) {
    for (const [key, value] of Object.entries(map)) if (names(key, place)) return { key, value };
  }
  return undefined;
}

/** A key is a place (`host/team`), or as docker once wrote it a URL, of which the host alone counts (`https://host/v1/`). */
function names(key: string, place: string): boolean {
  const url = /^https?:\/\/([^/]*)/i.exec(key);
  const named = url === null ? key.replace(/\/+$/, '') : (url[1] ?? '');
  return canonical(named) === canonical(place);
}

function canonical(place: string): string {
  const slash = place.indexOf('/');
  const host = (slash === -1 ? place : place.slice(0, slash)).toLowerCase();
  const rest = slash === -1 ? '' : place.slice(slash);
  return `${DOCKER_HUB.has(host) ? 'docker.io' : host}${rest}`;
}

function malformed(path: string, problem: string): RegistryError {
  return new RegistryError('credentials-malformed', `${path} ${problem}`, { url: path });
}
