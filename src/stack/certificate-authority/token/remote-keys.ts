// SPDX-License-Identifier: Apache-2.0
import type { JSONWebKeySet } from 'jose';
import {
  isJsonObject,
  parseJson,
  readBody,
  WireError,
  type HttpClient,
  type Json,
  type TlsSettings,
} from '../../../wire/index.ts';
import { CertificateRefusal } from '../refusal.ts';
import { quoted } from '../quoted.ts';
import type { TokenKeys } from './token-keys.ts';

/** How the keys of an issuer are read. */
export interface RemoteKeysOptions {
  /** `iss` */
  readonly issuer: string;
  readonly http: HttpClient;
  readonly now: () => Date;
  /** PEM of the roots by which alone the issuer is recognised */
  readonly roots?: string;
  /** only public addresses are asked: the token, not the configuration, chose the host */
  readonly publicOnly: boolean;
}

const DEADLINE_MS = 10_000;
const MAX_DISCOVERY_BYTES = 64 * 1024;
const MAX_KEYS_BYTES = 512 * 1024;
const MAX_KEYS = 100;
/** keys are read again after this, so that one that was withdrawn is not believed for long */
const FRESH_MS = 5 * 60_000;
/** keys that cannot be read again are believed this long after they were read */
const STALE_MS = 60 * 60_000;
/** between two readings that tokens caused */
const REFRESH_MS = 5000;
/** between two readings where the last one failed */
const RETRY_MS = 2000;

/**
 * The keys of an issuer elsewhere, by discovery; kept for five minutes, and read again at once, though not at every token's whim, when
 * a token has a signature by none of them.
 *
 * @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
 */
export class RemoteKeys implements TokenKeys {
  readonly #options: RemoteKeysOptions;
  readonly #tls: TlsSettings | undefined;
  #keys: { readonly set: JSONWebKeySet; readonly readAt: number } | undefined;
  #failure: { readonly error: CertificateRefusal; readonly at: number } | undefined;
  #reading: Promise<JSONWebKeySet> | undefined;

  constructor(options: RemoteKeysOptions) {
    this.#options = options;
    this.#tls = options.roots === undefined ? undefined : { ca: [options.roots] };
  }

  async current(): Promise<JSONWebKeySet> {
    const known = this.#keys;
    if (known !== undefined && this.#age(known.readAt) < FRESH_MS) return known.set;
    try {
      return await this.#read();
    } catch (error) {
      if (known !== undefined && this.#age(known.readAt) < STALE_MS) return known.set;
      throw error;
    }
  }

  async refreshed(): Promise<JSONWebKeySet | undefined> {
    if (this.#reading !== undefined) return this.#reading;
    if (this.#keys !== undefined && this.#age(this.#keys.readAt) < REFRESH_MS) return undefined;
    return this.#read();
  }

  // A clock that was set back makes what we have old, never young.
  #age(time: number): number {
    const age = this.#options.now().getTime() - time;
    return age < 0 ? Number.POSITIVE_INFINITY : age;
  }

  /** One reading at a time, however many wait for it. */
  async #read(): Promise<JSONWebKeySet> {
    if (this.#failure !== undefined && this.#age(this.#failure.at) < RETRY_MS) throw this.#failure.error;
    this.#reading ??= this.#fetch().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #fetch(): Promise<JSONWebKeySet> {
    const { issuer, now } = this.#options;
    try {
      const set = await this.#discover();
      this.#keys = { set, readAt: now().getTime() };
      this.#failure = undefined;
      return set;
    } catch (cause) {
      if (!(cause instanceof WireError) && !(cause instanceof CertificateRefusal)) throw cause;
      const message = `the keys of the issuer ${quoted(issuer)} could not be read: ${cause.message}`;
      const error = new CertificateRefusal('issuer-unreachable', message, { cause });
      this.#failure = { error, at: now().getTime() };
      throw error;
    }
  }

  async #discover(): Promise<JSONWebKeySet> {
    const { issuer, http } = this.#options;
    const deadline = http.clock.now() + DEADLINE_MS;
    const place = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    const discovery = await this.#get(place, MAX_DISCOVERY_BYTES, 'its discovery document', deadline);
    // Section 4.3: it must be the one that was asked.
    const { issuer: found } = discovery;
    if (found !== issuer)
      throw unusable(`its discovery document is that of ${typeof found === 'string' ? quoted(found) : 'nobody'}`);
    const uri = discovery['jwks_uri'];
    if (typeof uri !== 'string' || !URL.canParse(uri) || !/^https?:$/.test(new URL(uri).protocol))
      throw unusable('its discovery document names no jwks_uri');
    const { keys } = await this.#get(new URL(uri), MAX_KEYS_BYTES, 'its key set', deadline);
    if (!Array.isArray(keys) || keys.length > MAX_KEYS || !keys.every((key: Json) => isJsonObject(key)))
      throw unusable(`its key set is no list of at most ${MAX_KEYS} keys`);
    return { keys };
  }

  async #get(url: URL, maxBytes: number, what: string, deadline: number): Promise<Readonly<Record<string, Json>>> {
    const { http, issuer, publicOnly } = this.#options;
    const request = {
      method: 'GET',
      url,
      headers: { accept: 'application/json' },
      home: new URL(issuer),
      // Whoever has the keys elsewhere says so in its discovery document; a redirect may come from anybody.
      redirects: 0,
      deadline,
      ...(publicOnly ? { reach: 'public' as const } : {}),
      ...(this.#tls === undefined ? {} : { tls: this.#tls }),
    };
    const value = await http.exchange(request, async (response) => {
      if (response.status !== 200) throw unusable(`${what} was answered with the status ${response.status}`);
      return parseJson(await readBody(response, maxBytes, what), { what, maxBytes, maxDepth: 16, maxValues: 20_000 });
    });
    if (!isJsonObject(value)) throw unusable(`${what} is no JSON object`);
    return value;
  }
}

function unusable(found: string): CertificateRefusal {
  return new CertificateRefusal('issuer-unreachable', found);
}
