// SPDX-License-Identifier: Apache-2.0
import type { TokenIssuer } from './token-issuer.ts';

/** The issuers whose tokens are read. */
export class IssuerDirectory {
  readonly all: readonly TokenIssuer[];
  readonly #one = new Map<string, TokenIssuer>();
  readonly #many: readonly (readonly [pattern: RegExp, issuer: TokenIssuer])[];

  /** The first of two with the same URL counts. */
  constructor(issuers: readonly TokenIssuer[]) {
    for (const issuer of issuers) {
      if (!issuer.many && !this.#one.has(issuer.url)) this.#one.set(issuer.url, issuer);
    }
    this.#many = issuers.filter(({ many }) => many).map((issuer) => [patternOf(issuer.url), issuer]);
    this.all = [...this.#one.values(), ...this.#many.map(([, issuer]) => issuer)];
  }

  /** By `iss` of a token: that very URL, or else the first pattern that it fits. */
  find(url: string): TokenIssuer | undefined {
    return this.#one.get(url) ?? this.#many.find(([pattern]) => pattern.test(url))?.[1];
  }
}

// Anchored, and `*` is neither a dot nor a slash: else a token could name a host of its own (GHSA-59jp-pj84-45mr).
function patternOf(url: string): RegExp {
  const quoted = url.split('*').map((text) => text.replace(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`));
  return new RegExp(`^${quoted.join('[-_a-zA-Z0-9]+')}$`);
}
