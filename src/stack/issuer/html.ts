// SPDX-License-Identifier: Apache-2.0

/** Text that is HTML already. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A template in which everything is escaped that is not Html itself; for text and for attributes in double quotes. */
export function html(parts: TemplateStringsArray, ...values: readonly (string | number | Html)[]): Html {
  const text = parts.reduce((before, part, index) => {
    const value = values[index - 1] ?? '';
    return `${before}${value instanceof Html ? value.text : escape(String(value))}${part}`;
  });
  return new Html(text);
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
