// SPDX-License-Identifier: Apache-2.0
import { printable, readRfc3339 } from '../../trust/index.ts';
import type { Json } from '../../wire/index.ts';
import type { DocumentFault, DocumentFaultCode, FaultList, SourcePlace } from './fault.ts';
import { nearestField } from './nearest-field.ts';
import { jsonOf, kindOf, type YamlPlace, type YamlValue } from './yaml-value.ts';

type YamlMap = Extract<YamlValue, { kind: 'map' }>;

/**
 * Reads the fields of an object by name. Whatever is wrong goes to the list of faults, and reading goes on; `end` names every field that
 * nobody has asked for. `null` is as good as not there, as Kubernetes has it.
 */
export class FieldReader {
  readonly file: string;
  readonly path: string;
  readonly #map: YamlMap;
  readonly #faults: FaultList;
  readonly #asked: Set<string> = new Set();

  constructor(map: YamlMap, file: string, path: string, faults: FaultList) {
    this.#map = map;
    this.file = file;
    this.path = path;
    this.#faults = faults;
  }

  /** Where the object, or a field of it, stands. */
  place(name?: string): SourcePlace {
    const at: YamlPlace = (name === undefined ? undefined : this.#map.fields.get(name)) ?? this.#map;
    return { file: this.file, line: at.line, column: at.column, path: this.#pathOf(name) };
  }

  error(code: DocumentFaultCode, message: string, name?: string): void {
    this.#faults.add('error', code, this.place(name), message);
  }

  note(severity: DocumentFault['severity'], code: DocumentFaultCode, message: string, name?: string): void {
    this.#faults.add(severity, code, this.place(name), message);
  }

  has(name: string): boolean {
    return this.#take(name) !== undefined;
  }

  text(name: string): string | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (value.kind === 'scalar' && typeof value.value === 'string') return value.value;
    this.#wrongType(name, value, 'a text');
    return undefined;
  }

  /** A text that is not empty; an empty one is as good as none, as Go has it. */
  filled(name: string): string | undefined {
    const text = this.text(name);
    return text === '' ? undefined : text;
  }

  /** A text that must be there. Empty where it is not, which is a fault already. */
  required(name: string): string {
    const text = this.filled(name);
    if (text === undefined && !this.#isWrong(name)) this.error('field-missing', 'missing', name);
    return text ?? '';
  }

  flag(name: string): boolean | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (value.kind === 'scalar' && typeof value.value === 'boolean') return value.value;
    this.#wrongType(name, value, 'true or false');
    return undefined;
  }

  count(name: string, min: number, max: number): number | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (value.kind !== 'scalar' || typeof value.value !== 'number') {
      this.#wrongType(name, value, 'a number');
      return undefined;
    }
    if (Number.isInteger(value.value) && value.value >= min && value.value <= max) return value.value;
    this.error('field-value', `${value.value}, expected a whole number from ${min} to ${max}`, name);
    return undefined;
  }

  /** A time as RFC 3339 writes it. */
  time(name: string): Date | undefined {
    const text = this.filled(name);
    if (text === undefined) return undefined;
    const time = readRfc3339(text);
    if (time !== undefined) return time;
    this.error('field-value', `'${printable(text, 40)}', expected a time such as 2026-01-02T03:04:05Z`, name);
    return undefined;
  }

  /** One of a few words. */
  choice<const T extends string>(name: string, words: readonly T[]): T | undefined {
    const text = this.filled(name);
    if (text === undefined) return undefined;
    const word = words.find((known) => known === text);
    if (word === undefined)
      this.error('field-value', `'${printable(text, 60)}', expected one of ${words.join(', ')}`, name);
    return word;
  }

  object(name: string): FieldReader | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    if (value.kind === 'map') return new FieldReader(value, this.file, this.#pathOf(name), this.#faults);
    this.#wrongType(name, value, 'an object');
    return undefined;
  }

  /** A list of objects; empty where there is none. @param max more are a fault */
  objects(name: string, max: number): readonly FieldReader[] {
    return this.#list(name, max).flatMap((item, index) => {
      const path = `${this.#pathOf(name)}[${index}]`;
      if (item.kind === 'map') return [new FieldReader(item, this.file, path, this.#faults)];
      const place = { file: this.file, line: item.line, column: item.column, path };
      this.#faults.add('error', 'field-type', place, `${kindOf(item)}, expected an object`);
      return [];
    });
  }

  texts(name: string, max: number): readonly string[] {
    return this.#list(name, max).flatMap((item, index) => {
      if (item.kind === 'scalar' && typeof item.value === 'string') return [item.value];
      const place = { file: this.file, line: item.line, column: item.column, path: `${this.#pathOf(name)}[${index}]` };
      this.#faults.add('error', 'field-type', place, `${kindOf(item)}, expected a text`);
      return [];
    });
  }

  /** An object of texts, as labels are. */
  pairs(name: string, max: number): ReadonlyMap<string, string> {
    const value = this.#take(name);
    const pairs = new Map<string, string>();
    if (value === undefined) return pairs;
    if (value.kind !== 'map') {
      this.#wrongType(name, value, 'an object');
      return pairs;
    }
    if (value.fields.size > max) {
      this.error('document-too-large', `${value.fields.size} entries, at most ${max} are read`, name);
      return pairs;
    }
    for (const [key, field] of value.fields) {
      if (field.value.kind === 'scalar' && typeof field.value.value === 'string') pairs.set(key, field.value.value);
      else {
        const path = `${this.#pathOf(name)}.${printable(key, 60)}`;
        const place = { file: this.file, line: field.line, column: field.column, path };
        this.#faults.add('error', 'field-type', place, `${kindOf(field.value)}, expected a text`);
      }
    }
    return pairs;
  }

  /** Whatever stands there. */
  json(name: string): Json | undefined {
    const value = this.#take(name);
    return value === undefined ? undefined : jsonOf(value);
  }

  /** The whole object. */
  all(): Json {
    return jsonOf(this.#map);
  }

  /** A field that is Kubernetes' own affair. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.#asked.add(name);
  }

  /** Names what was not asked for. */
  end(): void {
    for (const name of this.#map.fields.keys()) {
      if (this.#asked.has(name)) continue;
      const nearest = nearestField(name, this.#asked);
      const known = [...this.#asked].join(', ');
      const hint = nearest === undefined ? `expected one of ${known}` : `did you mean ${nearest}?`;
      this.error('field-unknown', `unknown field, ${hint}`, name);
    }
  }

  #list(name: string, max: number): readonly YamlValue[] {
    const value = this.#take(name);
    if (value === undefined) return [];
    if (value.kind !== 'list') {
      this.#wrongType(name, value, 'a list');
      return [];
    }
    if (value.items.length <= max) return value.items;
    this.error('document-too-large', `${value.items.length} entries, at most ${max} are read`, name);
    return [];
  }

  #take(name: string): YamlValue | undefined {
    this.#asked.add(name);
    const value = this.#map.fields.get(name)?.value;
    return value === undefined || (value.kind === 'scalar' && value.value === null) ? undefined : value;
  }

  #isWrong(name: string): boolean {
    const value = this.#take(name);
    return value !== undefined && (value.kind !== 'scalar' || typeof value.value !== 'string');
  }

  #wrongType(name: string, value: YamlValue, expected: string): void {
    this.error('field-type', `${kindOf(value)}, expected ${expected}`, name);
  }

  #pathOf(name: string | undefined): string {
    if (name === undefined) return this.path;
    const shown = printable(name, 60);
    return this.path === '' ? shown : `${this.path}.${shown}`;
  }
}
