// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { decodeNoteKey, printable, TrustError, type NoteKey } from '../../trust/index.ts';
import { WireError } from '../../wire/index.ts';
import { RekorError } from './rekor-error.ts';

/** Which witnesses must have seen a checkpoint. @see https://c2sp.org/tlog-policy */
export interface WitnessPolicy {
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  /** whether these witnesses, by the names that the policy gives them, are enough */
  isMet(names: ReadonlySet<string>): boolean;
  /** how many witnesses it takes at least */
  readonly least: number;
}

export interface PolicyLog {
  readonly key: NoteKey;
  readonly url?: string;
}

export interface PolicyWitness {
  /** in this policy alone */
  readonly name: string;
  readonly key: NoteKey;
  /** what `/add-checkpoint` is added to */
  readonly url?: string;
}

const MAX_LENGTH = 256 * 1024;
/** of each kind; the specification wants 32 at least, and a note holds no more signatures */
const MAX_DEFINED = 32;

/** A witness or a group: what a quorum is made of. */
interface Member {
  isMet(names: ReadonlySet<string>): boolean;
  readonly least: number;
}

/**
 * Reads a policy: lines `log`, `witness`, `group` and one `quorum`.
 *
 * @param what names the file in errors
 * @throws RekorError `settings-malformed`, with the line
 * @see https://c2sp.org/tlog-policy
 * @example
 * const policy = decodeWitnessPolicy(await readFile('witnesses.txt', 'utf8'), 'witnesses.txt');
 */
export function decodeWitnessPolicy(text: string, what: string): WitnessPolicy {
  if (text.length > MAX_LENGTH)
    throw new RekorError('settings-malformed', `${what} has ${text.length} characters, at most ${MAX_LENGTH} are read`);
  const policy = new PolicyReader();
  for (const [index, line] of text.split('\n').entries()) {
    try {
      policy.read(line);
    } catch (error) {
      if (!(error instanceof RekorError || error instanceof TrustError || error instanceof WireError)) throw error;
      throw new RekorError('settings-malformed', `${what}, line ${index + 1}: ${error.message}`, { cause: error });
    }
  }
  return policy.end(what);
}

class PolicyReader {
  readonly #logs: PolicyLog[] = [];
  readonly #witnesses: PolicyWitness[] = [];
  readonly #members = new Map<string, Member>();
  readonly #grouped = new Set<string>();
  readonly #keys = new Set<string>();
  #groups = 0;
  #quorum: Member | undefined;

  read(line: string): void {
    // Of the control characters, lines have tabs alone.
    if (/[\x00-\x08\x0b-\x1f\x7f]/.test(line)) throw malformed('a control character');
    const [word, ...items] = line.split(/[ \t]+/).filter((item) => item !== '');
    if (word === undefined || word.startsWith('#')) return;
    switch (word) {
      case 'log':
        return this.#readLog(items);
      case 'witness':
        return this.#readWitness(items);
      case 'group':
        return this.#readGroup(items);
      case 'quorum':
        return this.#readQuorum(items);
      default:
        throw malformed(`'${printable(word, 40)}', expected log, witness, group or quorum`);
    }
  }

  end(what: string): WitnessPolicy {
    const quorum = this.#quorum;
    if (quorum === undefined) throw new RekorError('settings-malformed', `${what} has no line 'quorum'`);
    const [logs, witnesses] = [this.#logs, this.#witnesses];
    return { logs, witnesses, least: quorum.least, isMet: (names) => quorum.isMet(names) };
  }

  #readLog([vkey, url, ...more]: readonly string[]): void {
    if (vkey === undefined || more.length > 0) throw malformed('expected log KEY [URL]');
    const key = decodeNoteKey(vkey);
    if (key.type.startsWith('cosignature-')) throw malformed(`the key of a witness, ${key.name}, as a log`);
    this.#requireNew(key, 'log', this.#logs.length);
    this.#logs.push({ key, ...urlOf(url) });
  }

  #readWitness([name, vkey, url, ...more]: readonly string[]): void {
    if (name === undefined || vkey === undefined || more.length > 0) throw malformed('expected witness NAME KEY [URL]');
    const key = decodeNoteKey(vkey);
    if (!key.type.startsWith('cosignature-')) throw malformed(`the key of a log, ${key.name}, as a witness`);
    this.#requireNew(key, 'witness', this.#witnesses.length);
    this.#define(name, { least: 1, isMet: (names) => names.has(name) });
    this.#witnesses.push({ name, key, ...urlOf(url) });
  }

  #readGroup([name, threshold, ...names]: readonly string[]): void {
    if (name === undefined || threshold === undefined || names.length === 0)
      throw malformed('expected group NAME all|any|NUMBER NAME…');
    if (++this.#groups > MAX_DEFINED) throw malformed(`more than ${MAX_DEFINED} groups`);
    const members = names.map((member) => {
      // A witness that counted in two groups could meet both alone.
      if (this.#grouped.has(member)) throw malformed(`'${printable(member, 40)}' in a group for the second time`);
      this.#grouped.add(member);
      return this.#member(member);
    });
    const needed = threshold === 'all' ? members.length : threshold === 'any' ? 1 : numberOf(threshold, members.length);
    const least = members
      .map((member) => member.least)
      .toSorted((a, b) => a - b)
      .slice(0, needed)
      .reduce((sum, count) => sum + count, 0);
    const isMet = (seen: ReadonlySet<string>): boolean =>
      members.filter((member) => member.isMet(seen)).length >= needed;
    this.#define(name, { least, isMet });
  }

  #readQuorum([name, ...more]: readonly string[]): void {
    if (name === undefined || more.length > 0) throw malformed('expected quorum NAME');
    if (this.#quorum !== undefined) throw malformed('a second quorum');
    this.#quorum = name === 'none' ? { least: 0, isMet: () => true } : this.#member(name);
  }

  #member(name: string): Member {
    const member = this.#members.get(name);
    if (member === undefined) throw malformed(`'${printable(name, 40)}', which no line before it defines`);
    return member;
  }

  #define(name: string, member: Member): void {
    if (name === 'none' || this.#members.has(name)) throw malformed(`the name '${printable(name, 40)}' is taken`);
    this.#members.set(name, member);
  }

  /** The same key under another name would be the same witness, counted twice. */
  #requireNew(key: NoteKey, kind: 'log' | 'witness', known: number): void {
    if (known === MAX_DEFINED) throw malformed(`more than ${MAX_DEFINED} lines '${kind}'`);
    const name = `${kind} ${hash('sha256', key.object.export({ type: 'spki', format: 'der' }), 'hex')}`;
    if (this.#keys.has(name)) throw malformed(`the key of ${printable(key.name, 60)} for the second time`);
    this.#keys.add(name);
  }
}

function urlOf(url: string | undefined): { readonly url?: string } {
  if (url === undefined) return {};
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw malformed(`'${printable(url, 100)}', expected an address of http or https`);
  return { url: url.replace(/\/+$/, '') };
}

function numberOf(text: string, most: number): number {
  const number = /^[1-9][0-9]{0,3}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > most) throw malformed(`the threshold '${printable(text, 20)}', expected 1 to ${most}`);
  return number;
}

function malformed(found: string): RekorError {
  return new RekorError('settings-malformed', found);
}
