// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Json } from '../../wire/index.ts';
import { describeJson, type FaultList } from './predicate-fault.ts';

/** Checks one value and notes what is wrong with it. `at` is where it is; empty for the whole predicate. */
export type Shape = (value: Json, at: string, faults: FaultList) => void;

/** The members of an object. What is not named may be there: kinds of predicates grow. */
export interface Members {
  readonly required?: Readonly<Record<string, Shape>>;
  readonly optional?: Readonly<Record<string, Shape>>;
}

export const anything: Shape = () => undefined;

/** An object with these members. `null` in the place of an optional one counts as left out: Go writes that. */
export function object({ required = {}, optional = {} }: Members): Shape {
  return (value, at, faults) => {
    if (!isJsonObject(value)) return typeFault(faults, at, value, 'an object');
    for (const [name, shape] of Object.entries(required)) {
      const member = Object.hasOwn(value, name) ? value[name] : undefined;
      const place = below(at, name);
      if (member === undefined) faults.add('predicate-member-missing', place, 'nothing', `a member '${name}'`);
      else shape(member, place, faults);
    }
    for (const [name, shape] of Object.entries(optional)) {
      const member = Object.hasOwn(value, name) ? value[name] : undefined;
      if (member !== undefined && member !== null) shape(member, below(at, name), faults);
    }
  };
}

/** A list of things of one shape. */
export function list(shape: Shape, { least = 0 }: { readonly least?: number } = {}): Shape {
  return (value, at, faults) => {
    if (!Array.isArray(value)) return typeFault(faults, at, value, 'a list');
    if (value.length < least)
      faults.add('predicate-member-value', at, `a list of ${value.length}`, `a list of at least ${least}`);
    for (const [index, item] of (value as readonly Json[]).entries()) {
      if (faults.full) return;
      shape(item, `${at}[${index}]`, faults);
    }
  };
}

/** An object in which every member has one shape. */
export function map(shape: Shape): Shape {
  return (value, at, faults) => {
    if (!isJsonObject(value)) return typeFault(faults, at, value, 'an object');
    for (const [name, member] of Object.entries(value)) {
      if (faults.full) return;
      shape(member, below(at, name), faults);
    }
  };
}

/** A text, of this form where one is given. */
export function text(form?: { readonly pattern: RegExp; readonly expected: string }): Shape {
  return (value, at, faults) => {
    if (typeof value !== 'string') return typeFault(faults, at, value, form?.expected ?? 'a text');
    if (form !== undefined && !form.pattern.test(value))
      faults.add('predicate-member-value', at, describeJson(value), form.expected);
  };
}

export const filledText: Shape = text({ pattern: /\S/, expected: 'a text' });

/** @see https://www.rfc-editor.org/rfc/rfc3986#section-3 */
export const uri: Shape = text({ pattern: /^[A-Za-z][A-Za-z0-9+.-]*:\S+$/, expected: 'a URI' });

/** @see https://www.rfc-editor.org/rfc/rfc3339#section-5.6 */
export const time: Shape = (value, at, faults) => {
  if (typeof value !== 'string') return typeFault(faults, at, value, 'a time');
  const timely = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/.test(value);
  if (!timely || Number.isNaN(Date.parse(value)))
    faults.add('predicate-member-value', at, describeJson(value), 'a time (RFC 3339)');
};

export const flag: Shape = (value, at, faults) => {
  if (typeof value !== 'boolean') typeFault(faults, at, value, 'true or false');
};

/** A whole number of at least this. */
export function count(least: number): Shape {
  return (value, at, faults) => {
    if (typeof value !== 'number') return typeFault(faults, at, value, 'a number');
    if (!Number.isSafeInteger(value) || value < least)
      faults.add('predicate-member-value', at, describeJson(value), `a whole number of at least ${least}`);
  };
}

/** One of these texts. */
export function oneOf(...known: readonly string[]): Shape {
  return (value, at, faults) => {
    if (typeof value !== 'string') return typeFault(faults, at, value, known.join(', '));
    if (!known.includes(value))
      faults.add(
        'predicate-member-value',
        at,
        describeJson(value),
        known.length === 1 ? `'${known[0]}'` : `one of ${known.join(', ')}`,
      );
  };
}

/** Digests by algorithm. @see https://github.com/in-toto/attestation/blob/main/spec/v1/digest_set.md */
export const digestSet: Shape = map(filledText);

/** @see https://github.com/in-toto/attestation/blob/main/spec/v1/resource_descriptor.md */
export const resourceDescriptor: Shape = (value, at, faults) => {
  RESOURCE(value, at, faults);
  if (!isJsonObject(value)) return;
  if (!['uri', 'digest', 'content'].some((name) => Object.hasOwn(value, name)))
    faults.add('predicate-member-missing', at, 'neither uri, digest nor content', 'one of them');
};

const RESOURCE = object({
  optional: {
    name: text(),
    uri,
    digest: digestSet,
    content: text(),
    downloadLocation: text(),
    mediaType: text(),
    annotations: map(anything),
  },
});

/** Where a member is. */
export function below(at: string, name: string): string {
  return at === '' ? name : `${at}.${name}`;
}

function typeFault(faults: FaultList, at: string, value: Json, expected: string): void {
  faults.add('predicate-member-type', at, describeJson(value), expected);
}
