// SPDX-License-Identifier: Apache-2.0
import type * as Yaml from 'yaml';
import type { Node, Pair, Scalar } from 'yaml';
import { printable } from '../../trust/index.ts';
import type { Json } from '../../wire/index.ts';
import type { JsonPath } from '../workload/json-path.ts';
import type { ManifestFault, TextSpan } from './found-image.ts';
import { MANIFEST_LIMITS, type SourceText } from './source-text.ts';

/** A value of a YAML document, with where it stands in the text. */
export type LocatedValue = LocatedMap | LocatedList | LocatedScalar;

export interface LocatedMap {
  readonly kind: 'map';
  /** merged fields (`<<`) are among them, with their places */
  readonly fields: ReadonlyMap<string, LocatedField>;
  readonly start: number;
}

export interface LocatedList {
  readonly kind: 'list';
  readonly items: readonly LocatedValue[];
  readonly start: number;
}

export interface LocatedScalar {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** as it is written, without quotes and with escapes carried out: `1.10` where the value is 1.1 */
  readonly source: string;
  /** of the text, quotes excluded */
  readonly span: TextSpan;
  readonly quoted: boolean;
  readonly start: number;
}

export interface LocatedField {
  readonly value: LocatedValue;
  /** where the name stands */
  readonly start: number;
}

/** A document of a stream: its value, or why there is none. */
export type LocatedDocument =
  | {
      readonly kind: 'document';
      readonly value: LocatedValue;
      /** what is remarkable with it: tags that mean nothing here */
      readonly tagged?: LocatedFault;
    }
  | { readonly kind: 'fault'; readonly fault: LocatedFault };

export interface LocatedFault {
  readonly code: ManifestFault['code'];
  readonly offset: number;
  readonly message: string;
}

/**
 * Reads a stream of YAML 1.2 documents, of which JSON is a part, with the place of every text: no field twice, with merged fields as Go's
 * readers and compose have them, with caps on depth and values (an alias counts for all that it stands for). Empty documents are passed over.
 *
 * @see https://yaml.org/spec/1.2.2/ and https://yaml.org/type/merge.html
 */
export async function readLocatedYaml({ text }: SourceText): Promise<readonly LocatedDocument[]> {
  const yaml = await import('yaml');
  const options = {
    // each name is compared with each other there, which takes hours for a hostile file: it is done here
    uniqueKeys: false,
    merge: false,
    schema: 'core',
    version: '1.2',
    logLevel: 'silent',
    prettyErrors: false,
    strict: true,
  } as const;
  const documents = yaml.parseAllDocuments(text, options);
  const found: LocatedDocument[] = [];
  const budget = { values: 0 };
  for (const document of Array.isArray(documents) ? documents : []) {
    const [error] = document.errors;
    if (error !== undefined) {
      found.push({ kind: 'fault', fault: parserFault(error) });
      continue;
    }
    if (document.contents === null) continue;
    try {
      const value = new LocatedReader(yaml, budget).read(document.contents);
      const [warning] = document.warnings;
      if (value.kind === 'scalar' && value.value === null) continue;
      if (warning === undefined) found.push({ kind: 'document', value });
      else {
        const message = `not plain YAML: ${printable(warning.message, 200)}`;
        const tagged = { code: 'manifest-malformed', offset: warning.pos[0], message } as const;
        found.push({ kind: 'document', value, tagged });
      }
    } catch (thrown) {
      if (!(thrown instanceof LocatedYamlFault)) throw thrown;
      found.push({ kind: 'fault', fault: thrown.fault });
      // who spends all of what is read of one file gets no more of it
      if (budget.values > MANIFEST_LIMITS.maxValues) break;
    }
  }
  return found;
}

function parserFault({ message, pos }: Yaml.YAMLParseError): LocatedFault {
  // which is how deep the parser itself can go
  if (message.includes('call stack'))
    return { code: 'manifest-too-large', offset: pos[0], message: 'nested too deeply' };
  return { code: 'manifest-malformed', offset: pos[0], message: `not YAML: ${printable(message, 200)}` };
}

class LocatedYamlFault extends Error {
  readonly fault: LocatedFault;

  constructor(at: LocatedFault) {
    super(at.message);
    this.fault = at;
  }
}

function fault(code: LocatedFault['code'], offset: number, message: string): LocatedYamlFault {
  return new LocatedYamlFault({ code, offset, message });
}

/** Reads one document. */
class LocatedReader {
  readonly #yaml: typeof Yaml;
  readonly #budget: { values: number };
  readonly #anchors: Map<string, Node> = new Map();

  constructor(yaml: typeof Yaml, budget: { values: number }) {
    this.#yaml = yaml;
    this.#budget = budget;
  }

  read(node: Node | null | undefined, at = 0, depth = 0): LocatedValue {
    const start = node?.range?.[0] ?? at;
    const { maxDepth, maxValues } = MANIFEST_LIMITS;
    // An alias to what it stands in never ends: the depth does.
    if (depth > maxDepth) throw fault('manifest-too-large', start, `nested deeper than ${maxDepth} levels`);
    if (++this.#budget.values > maxValues)
      throw fault(
        'manifest-too-large',
        start,
        `more than ${maxValues} values, aliases counted for what they stand for`,
      );
    const { isAlias, isMap, isScalar, isSeq } = this.#yaml;
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target !== undefined) return this.read(target, start, depth + 1);
      throw fault('manifest-malformed', start, `no anchor '${printable(node.source, 60)}' stands before it`);
    }
    if (node === null || node === undefined) return emptyAt(start);
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined)
      this.#anchors.set(node.anchor, node);
    if (isSeq(node))
      return { kind: 'list', items: node.items.map((item) => this.read(item as Node, start, depth + 1)), start };
    if (isScalar(node)) return this.#scalar(node, start);
    if (isMap(node)) return this.#map(node.items, start, depth);
    throw fault('manifest-malformed', start, 'neither an object, a list nor a value');
  }

  #map(pairs: readonly Pair[], start: number, depth: number): LocatedMap {
    const fields = new Map<string, LocatedField>();
    const merged: LocatedValue[] = [];
    for (const { key, value } of pairs) {
      if (!this.#yaml.isScalar(key)) throw fault('manifest-malformed', start, 'the name of a field is not a text');
      const at = key.range?.[0] ?? start;
      const field = this.read(value as Node | null, key.range?.[1] ?? at, depth + 1);
      if (key.type === 'PLAIN' && key.value === '<<') {
        merged.push(field);
        continue;
      }
      const name = typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
      if (fields.has(name)) throw fault('field-duplicate', at, `the field '${printable(name, 60)}' is there twice`);
      fields.set(name, { value: field, start: at });
    }
    for (const from of merged.flatMap((one) => (one.kind === 'list' ? one.items : [one]))) {
      if (from.kind !== 'map') throw fault('manifest-malformed', from.start, 'only objects can be merged');
      for (const [name, field] of from.fields) if (!fields.has(name)) fields.set(name, field);
    }
    return { kind: 'map', fields, start };
  }

  #scalar({ value, source, range, type }: Scalar, start: number): LocatedScalar {
    const quoted = type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE';
    const end = range?.[1] ?? start;
    const span = quoted ? { start: start + 1, end: Math.max(end - 1, start + 1) } : { start, end };
    const rest = { kind: 'scalar', source: source ?? '', span, quoted, start } as const;
    if (value === null || typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number')
      return { ...rest, value };
    throw fault('manifest-malformed', start, 'a value that JSON cannot hold');
  }
}

function emptyAt(start: number): LocatedScalar {
  return { kind: 'scalar', value: null, source: '', span: { start, end: start }, quoted: false, start };
}

/** A value as the JSON that it stands for. */
export function jsonOf(value: LocatedValue): Json {
  switch (value.kind) {
    case 'scalar':
      return value.value;
    case 'list':
      return value.items.map(jsonOf);
    case 'map':
      return Object.fromEntries([...value.fields].map(([name, field]) => [name, jsonOf(field.value)]));
  }
}

/** What a field holds; `undefined` where there is none, or nothing in it. */
export function memberOf(value: LocatedValue | undefined, name: string): LocatedValue | undefined {
  const member = value?.kind === 'map' ? value.fields.get(name)?.value : undefined;
  return member?.kind === 'scalar' && member.value === null ? undefined : member;
}

export function locatedAt(value: LocatedValue, path: JsonPath): LocatedValue | undefined {
  let at: LocatedValue | undefined = value;
  for (const step of path)
    at = typeof step === 'number' ? (at?.kind === 'list' ? at.items[step] : undefined) : memberOf(at, step);
  return at;
}

/** The text of a scalar that is one. */
export function textAt(value: LocatedValue | undefined): string | undefined {
  return value?.kind === 'scalar' && typeof value.value === 'string' ? value.value : undefined;
}

/** For messages: what kind of thing it is. */
export function kindOf(value: LocatedValue): string {
  if (value.kind !== 'scalar') return value.kind === 'map' ? 'an object' : 'a list';
  if (value.value === null) return 'nothing';
  return { string: 'a text', number: 'a number', boolean: 'true or false' }[
    typeof value.value as 'string' | 'number' | 'boolean'
  ];
}
