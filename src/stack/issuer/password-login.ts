// SPDX-License-Identifier: Apache-2.0
import { AttemptLimit } from './attempt-limit.ts';
import type { User } from './issuer-document.ts';

/** What became of a login. */
export type Login =
  | { readonly kind: 'right'; readonly user: User }
  | { readonly kind: 'wrong' }
  /** too many tries for this name, or too many people at a time */
  | { readonly kind: 'wait'; readonly seconds: number };

/** Compares a password with a bcrypt hash. */
export type Compare = (password: string, hash: string) => Promise<boolean>;

/** Ten wrong passwords at once, then one a minute: 1,440 a day. */
const RATE = { burst: 10, refill: 60_000 };
/** Checks that wait at most: each costs tens of milliseconds, and anybody may ask for one. */
const WAITING = 32;
const LONGEST_NAME = 254;
const LONGEST_PASSWORD = 1024;

/**
 * Who somebody is, by a password. Checks run one at a time, so that guessing slows down the guesser and not the other services; a name
 * that nobody has costs as much as one that somebody has.
 */
export class PasswordLogin {
  readonly #users: () => ReadonlyMap<string, User>;
  readonly #compare: Compare;
  readonly #limit: AttemptLimit;
  #waiting = 0;
  #turn: Promise<unknown> = Promise.resolve();

  /** @param users asked for each login: they may change */
  constructor(users: () => ReadonlyMap<string, User>, compare: Compare, now: () => Date) {
    this.#users = users;
    this.#compare = compare;
    this.#limit = new AttemptLimit(RATE, now, (name) => users().has(name));
  }

  async login(name: string, password: string): Promise<Login> {
    if (name.length > LONGEST_NAME || password.length > LONGEST_PASSWORD) return { kind: 'wrong' };
    const users = this.#users();
    const user = users.get(name);
    const hash = user?.password ?? [...users.values()][0]?.password;
    if (hash === undefined) return { kind: 'wrong' };
    if (this.#waiting >= WAITING) return { kind: 'wait', seconds: 1 };
    const seconds = this.#limit.take(name);
    if (seconds !== undefined) return { kind: 'wait', seconds };
    const right = await this.#next(() => this.#compare(password, hash));
    if (!right || user === undefined) return { kind: 'wrong' };
    this.#limit.forgive(name);
    return { kind: 'right', user };
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
