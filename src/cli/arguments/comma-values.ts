// SPDX-License-Identifier: Apache-2.0

/**
 * Splits one value at commas as pflag's StringSlice does, which reads it as one CSV record: `a,"b,c"` is `a` and `b,c`, and `""`
 * within quotes is one quote. `undefined` where the quotes do not close or stand in the middle of a field.
 *
 * @see https://pkg.go.dev/github.com/spf13/pflag#StringSlice
 * @see https://www.rfc-editor.org/rfc/rfc4180#section-2
 */
export function splitCommaValues(text: string): readonly string[] | undefined {
  if (text === '') return [];
  if (!text.includes('"')) return text.split(',');
  const values: string[] = [];
  for (let at = 0; ; at++) {
    const field = text[at] === '"' ? quotedField(text, at) : plainField(text, at);
    if (field === undefined) return undefined;
    values.push(field.value);
    at = field.end;
    if (at === text.length) return values;
  }
}

interface Field {
  readonly value: string;
  /** where the comma or the end is */
  readonly end: number;
}

function plainField(text: string, start: number): Field | undefined {
  const comma = text.indexOf(',', start);
  const end = comma === -1 ? text.length : comma;
  const value = text.slice(start, end);
  return value.includes('"') ? undefined : { value, end };
}

function quotedField(text: string, start: number): Field | undefined {
  let value = '';
  let from = start + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote === -1) return undefined;
    value += text.slice(from, quote);
    if (text[quote + 1] !== '"') {
      const end = quote + 1;
      return end === text.length || text[end] === ',' ? { value, end } : undefined;
    }
    value += '"';
    from = quote + 2;
  }
}
