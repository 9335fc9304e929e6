// SPDX-License-Identifier: Apache-2.0
import type * as Yaml from 'yaml';
import type { Document, LineCounter, Node } from 'yaml';
import { printable } from '../../trust/index.ts';
import type { FaultList, SourcePlace } from './fault.ts';
import type { YamlField, YamlPlace, YamlValue } from './yaml-value.ts';

/** Caps on a stream of documents. Kubernetes keeps at most 1.5 MiB of one object. */
export const YAML_LIMITS: { readonly maxBytes: number; readonly maxDepth: number; readonly maxValues: number } = {
  maxBytes: 16 * 1024 * 1024,
  maxDepth: 40,
  maxValues: 2_000_000,
};

/** A text to be read, and what it is called in messages. */
export interface PolicyFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Reads a stream of YAML 1.2 documents, of which JSON is a part: strictly, with a cap on bytes, depth and values (an alias counts for all that
 * it stands for), no field twice, and no tags. Empty documents are passed over. The parser is loaded at the first call.
 *
 * @see https://yaml.org/spec/1.2.2/
 */
export async function readYamlStream({ name, bytes }: PolicyFile, faults: FaultList): Promise<readonly YamlValue[]> {
  const start: SourcePlace = { file: name, line: 1, column: 1, path: '' };
  if (bytes.byteLength > YAML_LIMITS.maxBytes) {
    const found = `${bytes.byteLength} bytes, at most ${YAML_LIMITS.maxBytes} are read`;
    faults.add('error', 'document-too-large', start, found);
    return [];
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    faults.add('error', 'yaml-malformed', start, 'not UTF-8');
    return [];
  }
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const options = {
    lineCounter: lines,
    // `yaml` compares each name with each other, which takes hours for a hostile file: it is done here
    uniqueKeys: false,
    merge: false,
    schema: 'core',
    version: '1.2',
    logLevel: 'silent',
    prettyErrors: false,
  } as const;
  const documents = yaml.parseAllDocuments(text, options);
  const values: YamlValue[] = [];
  for (const document of Array.isArray(documents) ? documents : []) {
    if (fault(document, { name, text, lines }, faults)) continue;
    if (document.contents === null) continue;
    try {
      const value = new YamlReader(yaml, lines).read(document.contents);
      if (value.kind !== 'scalar' || value.value !== null) values.push(value);
    } catch (error) {
      if (!(error instanceof YamlFault)) throw error;
      const message = error.code === 'yaml-malformed' ? explained(error.message, text) : error.message;
      faults.add('error', error.code, { file: name, ...error.place, path: '' }, message);
    }
  }
  return values;
}

function fault(
  document: Document.Parsed,
  { name, text, lines }: { readonly name: string; readonly text: string; readonly lines: LineCounter },
  faults: FaultList,
): boolean {
  const [first] = [...document.errors, ...document.warnings];
  if (first === undefined) return false;
  const place = { file: name, ...placeAt(lines, first.pos[0]), path: '' };
  faults.add('error', 'yaml-malformed', place, explained(`not YAML: ${printable(first.message, 200)}`, text));
  return true;
}

/** What a template is to a reader of YAML is of no use to who wrote it. */
function explained(message: string, text: string): string {
  return text.includes('{{')
    ? `a template that is not rendered: check the output of helm template (${message})`
    : message;
}

function placeAt(lines: LineCounter, offset: number): YamlPlace {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

class YamlFault extends Error {
  readonly code: 'document-too-large' | 'field-duplicate' | 'yaml-malformed';
  readonly place: YamlPlace;

  constructor(code: YamlFault['code'], place: YamlPlace, message: string) {
    super(message);
    this.code = code;
    this.place = place;
  }
}

/** Reads one document. */
class YamlReader {
  readonly #yaml: typeof Yaml;
  readonly #lines: LineCounter;
  readonly #anchors: Map<string, Node> = new Map();
  #values = 0;

  constructor(yaml: typeof Yaml, lines: LineCounter) {
    this.#yaml = yaml;
    this.#lines = lines;
  }

  read(node: Node | null | undefined, depth = 0): YamlValue {
    const place = placeAt(this.#lines, node?.range?.[0] ?? 0);
    // An alias to what it stands in never ends: the depth does.
    if (depth > YAML_LIMITS.maxDepth) throw tooLarge(place, `nested deeper than ${YAML_LIMITS.maxDepth} levels`);
    if (++this.#values > YAML_LIMITS.maxValues) throw tooLarge(place, `more than ${YAML_LIMITS.maxValues} values`);
    const { isAlias, isMap, isScalar, isSeq } = this.#yaml;
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target === undefined) throw malformed(place, `no anchor '${printable(node.source, 60)}' stands before it`);
      return this.read(target, depth + 1);
    }
    if (node === null || node === undefined) return { kind: 'scalar', value: null, ...place };
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined)
      this.#anchors.set(node.anchor, node);
    if (isSeq(node))
      return { kind: 'list', items: node.items.map((item) => this.read(item as Node, depth + 1)), ...place };
    if (isScalar(node)) return { kind: 'scalar', value: this.#scalar(node.value, place), ...place };
    if (!isMap(node)) throw malformed(place, 'neither an object, a list nor a value');
    const fields = new Map<string, YamlField>();
    for (const { key, value } of node.items) {
      const at = isScalar(key) ? placeAt(this.#lines, key.range?.[0] ?? 0) : place;
      if (!isScalar(key) || typeof key.value !== 'string') throw malformed(at, 'the name of a field is not a text');
      if (fields.has(key.value))
        throw new YamlFault('field-duplicate', at, `the field '${printable(key.value, 60)}' is there twice`);
      fields.set(key.value, { ...at, value: this.read(value as Node | null, depth + 1) });
    }
    return { kind: 'map', fields, ...place };
  }

  #scalar(value: unknown, place: YamlPlace): string | number | boolean | null {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw malformed(place, 'a value that JSON cannot hold');
  }
}

function tooLarge(place: YamlPlace, message: string): YamlFault {
  return new YamlFault('document-too-large', place, message);
}

function malformed(place: YamlPlace, message: string): YamlFault {
  return new YamlFault('yaml-malformed', place, message);
}
