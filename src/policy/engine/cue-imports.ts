// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';

/** The packages that CUE has built in, but those for commands (`tool/…`), which would run programs and read files. */
const STANDARD: ReadonlySet<string> = new Set([
  'crypto/ed25519',
  'crypto/hmac',
  'crypto/md5',
  'crypto/sha1',
  'crypto/sha256',
  'crypto/sha512',
  'encoding/base64',
  'encoding/csv',
  'encoding/hex',
  'encoding/json',
  'encoding/yaml',
  'html',
  'list',
  'math',
  'math/bits',
  'net',
  'path',
  'regexp',
  'strconv',
  'strings',
  'struct',
  'text/tabwriter',
  'text/template',
  'time',
]);

/**
 * Why a policy imports what is not here; `undefined` where it does not. CUE itself passes over a package that it does not know until something
 * of it is needed, which would be at a decision.
 *
 * @see https://cuelang.org/docs/reference/spec/#import-declarations
 */
export function importFault(text: string): string | undefined {
  for (const name of importsOf(text)) {
    const [path = ''] = name.split(':', 1);
    if (!STANDARD.has(path)) {
      const shown = printable(name, 80);
      return `it imports "${shown}", expected packages of CUE's standard library (list, strings, time, regexp and so on)`;
    }
  }
  return undefined;
}

/** What stands before imports: space, comments, attributes, the name of the package. */
const BEFORE = /(?:[\s,;]|\/\/[^\n]*|@\w+\([^)]*\)|package\s+\w+)*/y;
const IMPORT = /import\s*(?:\(((?:[^()"]|"[^"\n]*")*)\)|((?:[\w$]+[ \t]+)?"[^"\n]*"))/y;

function importsOf(text: string): readonly string[] {
  const names: string[] = [];
  for (let at = 0; ;) {
    BEFORE.lastIndex = at;
    at += BEFORE.exec(text)?.[0].length ?? 0;
    IMPORT.lastIndex = at;
    const found = IMPORT.exec(text);
    if (found === null) return names;
    at += found[0].length;
    const specs = (found[1] ?? found[2] ?? '').replaceAll(/\/\/[^\n"]*\n/g, '\n');
    names.push(...[...specs.matchAll(/"([^"\n]*)"/g)].map(([, name = '']) => name));
  }
}
