// SPDX-License-Identifier: Apache-2.0
import { createHmac, randomBytes } from 'node:crypto';
import type { Access, Principal } from './access.ts';
import type { Htpasswd } from './htpasswd.ts';

/** Checks that wait at most: each costs tens of milliseconds, and anybody may send a wrong password. */
const WAITING = 32;
const REMEMBERED = 1000;
const LONGEST = 4096;

/** Compares a password with a bcrypt hash. */
export type Compare = (password: string, hash: string) => Promise<boolean>;

/**
 * Basic authentication by an htpasswd file: who is in it may do everything.
 *
 * A password is checked with bcrypt once. What is remembered of it is a MAC under a key that dies with the process, over user,
 * password and hash, so that a changed file forgets it; failures are not remembered. Checks run one at a time, so that guessing
 * slows down the guesser and not the registry.
 */
export class BasicAccess implements Access {
  readonly challenge = 'Basic realm="bulla registry", charset="UTF-8"';
  readonly #users: () => Promise<Htpasswd>;
  readonly #compare: Compare;
  readonly #key = randomBytes(32);
  readonly #known = new Map<string, Principal>();
  #waiting = 0;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param users asked for each request: it may change */
  constructor(users: () => Promise<Htpasswd>, compare: Compare) {
    this.#users = users;
    this.#compare = compare;
  }

  async authenticate(authorization: string | undefined): Promise<Principal | undefined | 'busy'> {
    const credentials = decode(authorization);
    if (credentials === undefined) return undefined;
    const { user, password } = credentials;
    const users = await this.#users();
    // An unknown user costs as much as a known one, so that time does not tell who is one.
    const hash = users.get(user) ?? [...users.values()][0];
    if (hash === undefined) return undefined;
    const mac = createHmac('sha256', this.#key)
      .update(JSON.stringify([user, password, hash]))
      .digest('base64');
    const known = this.#known.get(mac);
    if (known !== undefined && users.has(user)) return known;
    if (this.#waiting >= WAITING) return 'busy';
    const right = await this.#next(() => this.#compare(password, hash));
    if (!right || !users.has(user)) return undefined;
    const principal = { name: user };
    this.#known.set(mac, principal);
    const oldest = this.#known.keys().next();
    if (this.#known.size > REMEMBERED && oldest.done !== true) this.#known.delete(oldest.value);
    return principal;
  }

  allows(): boolean {
    return true;
  }

  async #next(check: () => Promise<boolean>): Promise<boolean> {
    this.#waiting += 1;
    const mine = this.#turn.then(check);
    this.#turn = mine.catch(() => undefined);
    try {
      return await mine;
    } finally {
      this.#waiting -= 1;
    }
  }
}

/** @see https://www.rfc-editor.org/rfc/rfc7617#section-2 */
function decode(authorization: string | undefined): { readonly user: string; readonly password: string } | undefined {
  if (authorization === undefined || authorization.length > LONGEST) return undefined;
  const encoded = /^basic +([A-Za-z0-9+/_-]+=*) *$/i.exec(authorization)?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon === -1 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
