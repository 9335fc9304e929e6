// SPDX-License-Identifier: Apache-2.0
import { RegistryError } from '../error.ts';
import { quoted } from '../quoted.ts';

/** One way in which a server wants to be shown who asks. Scheme and names of parameters in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const MAX_LENGTH = 8192;
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))/y;
const QUOTED = /"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\uffff]|\\[\t \x21-\x7e\x80-\uffff])*)"/y;
const SPACE = /[ \t]*/y;
const COMMAS = /[ \t]*(?:,[ \t]*)*/y;

/**
 * Reads WWW-Authenticate: several challenges, in one field or in several joined with commas, their values quoted (with commas and
 * escapes) or not.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
 * @throws RegistryError `protocol-violation`
 */
export function parseChallenges(text: string): readonly Challenge[] {
  if (text.length > MAX_LENGTH) {
    throw new RegistryError(
      'protocol-violation',
      `WWW-Authenticate has ${text.length} characters, at most ${MAX_LENGTH} are read`,
    );
  }
  return new Reader(text).challenges();
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  challenges(): Challenge[] {
    const challenges: Challenge[] = [];
    this.#take(COMMAS);
    while (this.#at < this.#text.length) {
      const scheme = this.#take(TOKEN) ?? this.#fail();
      challenges.push({ scheme: scheme.toLowerCase(), parameters: this.#parameters() });
    }
    return challenges;
  }

  /** Ends before what is no parameter: the scheme of the next challenge. */
  #parameters(): Record<string, string> {
    const parameters = Object.create(null) as Record<string, string>;
    const separated = this.#take(SPACE) !== '';
    if (!separated && this.#at < this.#text.length && this.#text[this.#at] !== ',') this.#fail();
    if (separated && this.#take(TOKEN68) !== undefined) {
      this.#take(COMMAS);
      return parameters;
    }
    for (;;) {
      this.#take(COMMAS);
      const start = this.#at;
      const name = this.#take(TOKEN)?.toLowerCase();
      this.#take(SPACE);
      if (name === undefined || this.#text[this.#at] !== '=') {
        this.#at = start;
        if (name === undefined && start < this.#text.length) this.#fail();
        return parameters;
      }
      this.#at++;
      this.#take(SPACE);
      if (name in parameters) this.#fail();
      parameters[name] = this.#value();
      this.#take(SPACE);
      if (this.#at < this.#text.length && this.#text[this.#at] !== ',') this.#fail();
    }
  }

  #value(): string {
    QUOTED.lastIndex = this.#at;
    const match = QUOTED.exec(this.#text);
    if (match === null) return this.#take(TOKEN) ?? this.#fail();
    this.#at = QUOTED.lastIndex;
    return (match[1] ?? '').replaceAll(/\\(.)/gs, '$1');
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match[0];
  }

  #fail(): never {
    const rest = quoted(this.#text.slice(this.#at), 40);
    throw new RegistryError(
      'protocol-violation',
      `WWW-Authenticate cannot be read from character ${this.#at + 1}: ${rest}`,
    );
  }
}
