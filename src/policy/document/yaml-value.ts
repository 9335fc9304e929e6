// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';

/** Where a value begins. */
export interface YamlPlace {
  readonly line: number;
  readonly column: number;
}

/** A value of a YAML document, with its place. */
export type YamlValue =
  | (YamlPlace & { readonly kind: 'map'; readonly fields: ReadonlyMap<string, YamlField> })
  | (YamlPlace & { readonly kind: 'list'; readonly items: readonly YamlValue[] })
  | (YamlPlace & { readonly kind: 'scalar'; readonly value: string | number | boolean | null });

/** A field: the place is that of its name. */
export interface YamlField extends YamlPlace {
  readonly value: YamlValue;
}

/** A document as the JSON that it stands for. */
export function jsonOf(value: YamlValue): Json {
  switch (value.kind) {
    case 'scalar':
      return value.value;
    case 'list':
      return value.items.map(jsonOf);
    case 'map':
      return Object.fromEntries([...value.fields].map(([name, field]) => [name, jsonOf(field.value)]));
  }
}

/** For messages: what kind of thing it is. */
export function kindOf(value: YamlValue): string {
  if (value.kind !== 'scalar') return value.kind === 'map' ? 'an object' : 'a list';
  if (value.value === null) return 'nothing';
  return { string: 'a text', number: 'a number', boolean: 'true or false' }[
    typeof value.value as 'string' | 'number' | 'boolean'
  ];
}
