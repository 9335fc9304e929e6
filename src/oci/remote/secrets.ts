// SPDX-License-Identifier: Apache-2.0
import type { Credentials } from '../credentials/credentials.ts';
import { RegistryError } from '../error.ts';

/** Shorter ones stand in ordinary words too. */
const SHORTEST = 4;
/** As much of a secret as gives it away: what a registry repeats may be cut off. */
const TELLING = 12;

/**
 * What a registry and its token server were shown. Some repeat in errors and warnings what they were sent; it must not come out here.
 *
 * @example
 * secrets.add({ kind: 'basic', username: 'robot', password: 'hunter2', source: 'config.json' });
 * secrets.hide("DENIED 'robot:hunter2 may not push'"); // "DENIED 'robot:*** may not push'"
 */
export class Secrets {
  readonly #known = new Set<string>();

  /** Remembers what will be sent: credentials, or a token as it is. */
  add(shown: Credentials | string): void {
    if (typeof shown === 'string') this.#known.add(shown);
    else if (shown.kind !== 'basic') this.#known.add(shown.token);
    else {
      this.#known.add(shown.password);
      this.#known.add(Buffer.from(`${shown.username}:${shown.password}`).toString('base64'));
    }
  }

  /** Text from outside without what was shown. */
  hide(text: string): string {
    let hidden = text;
    for (const secret of this.#known) {
      if (secret.length < SHORTEST) continue;
      const begin = secret.slice(0, TELLING);
      if (!hidden.includes(begin)) continue;
      hidden = hidden.replaceAll(secret, '***').replaceAll(new RegExp(`${RegExp.escape(begin)}[^\\s'"]*`, 'g'), '***');
    }
    return hidden;
  }

  /** An error without what was shown: the same one where nothing has to be hidden, else one like it, whose stack does not tell either. */
  hideIn(error: unknown): unknown {
    if (!(error instanceof RegistryError)) return error;
    const { code, message, url, status, retryAfterMs } = error;
    const hidden = this.hide(message);
    if (hidden === message) return error;
    return new RegistryError(code, hidden, {
      ...(url === undefined ? {} : { url }),
      ...(status === undefined ? {} : { status }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
}
