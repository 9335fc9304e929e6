// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Json } from '../../wire/index.ts';
import { AuthorityError, type AuthorityErrorCode } from './error.ts';
import { quoted } from './quoted.ts';

const MAX_BYTES = 1024 * 1024;
/** the file of the public instance has ten anchors */
const MAX_ALIASES = 200;

/**
 * Reads a settings document: YAML, and so JSON, without a key twice.
 *
 * @param what names it in errors
 * @throws AuthorityError with `code`
 */
export async function readSettings(bytes: Uint8Array, what: string, code: AuthorityErrorCode): Promise<Settings> {
  if (bytes.byteLength > MAX_BYTES)
    throw new AuthorityError(code, `${what} has ${bytes.byteLength} bytes, at most ${MAX_BYTES} are read`);
  const { parseDocument } = await import('yaml');
  const options = { prettyErrors: false, logLevel: 'silent' } as const;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    let document = parseDocument(text, options);
    // Fulcio's own file has `*alias:` for keys. To Go's YAML the alias ends before the colon, by YAML 1.2 it does not.
    if (document.errors.length > 0) document = parseDocument(text.replace(/^(\s*\*[\w-]+):(?=\s)/gm, '$1 :'), options);
    const [fault] = document.errors;
    if (fault !== undefined) throw fault;
    return new Settings(document.toJS({ maxAliasCount: MAX_ALIASES }) as Json, what, code);
  } catch (cause) {
    if (cause instanceof AuthorityError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AuthorityError(code, `${what} is neither YAML nor JSON: ${quoted(why)}`, { cause });
  }
}

/**
 * A mapping of a settings document. Keys are found as Fulcio's YAML and its JSON spell them (`issuer-url`, `IssuerURL`), and those that
 * nobody asked for are refused by `end`: a setting that is misspelled would be one that is not in force.
 */
export class Settings {
  readonly where: string;
  readonly #code: AuthorityErrorCode;
  readonly #values = new Map<string, { readonly key: string; readonly value: Json }>();
  readonly #asked: string[] = [];

  constructor(value: Json | undefined, where: string, code: AuthorityErrorCode) {
    this.where = where;
    this.#code = code;
    if (value !== undefined && value !== null && !isJsonObject(value)) throw this.fault('is no mapping');
    for (const [key, item] of Object.entries(value ?? {})) {
      if (this.#values.has(plain(key))) throw this.fault(`has the key ${quoted(key)} twice`);
      this.#values.set(plain(key), { key, value: item });
    }
  }

  /** Its keys, as they are written. */
  keys(): readonly string[] {
    return [...this.#values.values()].map(({ key }) => key);
  }

  get(key: string): Json | undefined {
    this.#asked.push(key);
    const value = this.#values.get(plain(key))?.value;
    return value === null ? undefined : value;
  }

  /** @throws AuthorityError unless it is text with something in it */
  text(key: string): string | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'string' || value === '') throw this.fault(`has a '${key}' that is no text`);
    return value;
  }

  flag(key: string): boolean {
    const value = this.get(key) ?? false;
    if (typeof value !== 'boolean') throw this.fault(`has a '${key}' that is neither true nor false`);
    return value;
  }

  mapping(key: string): Settings {
    return new Settings(this.get(key), `'${key}' of ${this.where}`, this.#code);
  }

  list(key: string): readonly Json[] {
    const value = this.get(key) ?? [];
    if (!Array.isArray(value)) throw this.fault(`has a '${key}' that is no list`);
    return value as readonly Json[];
  }

  /** Refuses what was not asked for. @throws AuthorityError */
  end(): void {
    const known = new Set(this.#asked.map((key) => plain(key)));
    for (const [name, { key }] of this.#values) {
      if (known.has(name)) continue;
      throw this.fault(`has the key ${quoted(key)}, expected one of ${this.#asked.join(', ')}`);
    }
  }

  fault(found: string, code: AuthorityErrorCode = this.#code): AuthorityError {
    return new AuthorityError(code, `${this.where} ${found}`);
  }
}

function plain(key: string): string {
  return key.replaceAll('-', '').toLowerCase();
}
