// SPDX-License-Identifier: Apache-2.0
import type { HttpClient } from '../../../wire/index.ts';
import type { TokenIssuer } from '../issuers/token-issuer.ts';
import { RemoteKeys } from './remote-keys.ts';
import type { TokenKeys } from './token-keys.ts';

/** issuers whose URL only a pattern names: a token can name any number of them */
const MAX_NAMED = 100;

/** The keys of all issuers. */
export class KeyRing {
  readonly #given: ReadonlyMap<string, TokenKeys>;
  readonly #http: HttpClient;
  readonly #now: () => Date;
  readonly #configured = new Map<string, TokenKeys>();
  /** the one that was used longest ago first */
  readonly #named = new Map<string, TokenKeys>();

  /** @param given keys of issuers that need not be asked, by `iss` */
  constructor(given: ReadonlyMap<string, TokenKeys>, http: HttpClient, now: () => Date) {
    this.#given = given;
    this.#http = http;
    this.#now = now;
  }

  /** @param url `iss` of the token */
  of(issuer: TokenIssuer, url: string): TokenKeys {
    const given = this.#given.get(url);
    if (given !== undefined) return given;
    const ring = issuer.many ? this.#named : this.#configured;
    const keys = ring.get(url) ?? this.#open(issuer, url);
    ring.delete(url);
    ring.set(url, keys);
    const [oldest] = this.#named.keys();
    if (this.#named.size > MAX_NAMED && oldest !== undefined) this.#named.delete(oldest);
    return keys;
  }

  #open({ many, url: configured, roots }: TokenIssuer, url: string): TokenKeys {
    const hostIsNamed = many && /^https?:\/\/[^/]*\*/.test(configured);
    return new RemoteKeys({
      issuer: url,
      http: this.#http,
      now: this.#now,
      publicOnly: hostIsNamed,
      ...(roots === undefined ? {} : { roots }),
    });
  }
}
