// SPDX-License-Identifier: Apache-2.0

// What matters of JSON to tell the names of fields: everything else stands between these.
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/gs;

/**
 * The name of a field that an object in a JSON text has twice; JSON.parse would keep the last and hide the first from whoever reads the file.
 *
 * @param text is JSON already: what is not has no fields
 */
export function duplicateField(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let last = '';
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') {
      const name = JSON.parse(last) as string;
      const names = open.at(-1);
      if (names?.has(name) === true) return name;
      names?.add(name);
    }
    last = token;
  }
  return undefined;
}
