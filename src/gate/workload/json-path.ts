// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Json } from '../../wire/index.ts';

/** Where a value stands in a document: names of fields and positions in lists. */
export type JsonPath = readonly (string | number)[];

/** What a field of an object holds; `undefined` where there is none, or no object. `null` is none, as Kubernetes has it. */
export function fieldOf(value: Json | undefined, name: string): Json | undefined {
  if (!isJsonObject(value) || !Object.hasOwn(value, name)) return undefined;
  return value[name] ?? undefined;
}

export function textOf(value: Json | undefined, name: string): string | undefined {
  const text = fieldOf(value, name);
  return typeof text === 'string' ? text : undefined;
}

export function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** What stands at a path. */
export function valueAt(value: Json, path: JsonPath): Json | undefined {
  let at: Json | undefined = value;
  for (const step of path) at = typeof step === 'number' ? listOf(at)[step] : fieldOf(at, step);
  return at;
}

/** A path as people write it. @example formatPath(['spec', 'containers', 0, 'image']) // 'spec.containers[0].image' */
export function formatPath(path: JsonPath): string {
  return path
    .map((step, at) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[\w/ -]+$/.test(step)) return `[${JSON.stringify(step)}]`;
      return at === 0 ? step : `.${step}`;
    })
    .join('');
}
