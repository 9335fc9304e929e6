// SPDX-License-Identifier: Apache-2.0

/**
 * The first member name that an object in this JSON text has twice, or `undefined`.
 *
 * RFC 8259 section 4 leaves open what two members of one name mean, and readers differ: what one verifier reads and the next one
 * uses must not be two things. The text must be well-formed JSON.
 */
export function repeatedMember(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = []; // of each object the names so far, of each array nothing
  let nameExpected = false;
  for (let at = 0; at < json.length; at++) {
    switch (json[at]) {
      case '{':
        open.push(new Set());
        nameExpected = true;
        break;
      case '[':
        open.push(undefined);
        nameExpected = false;
        break;
      case '}':
      case ']':
        open.pop();
        nameExpected = false;
        break;
      case ',':
        nameExpected = open.at(-1) !== undefined;
        break;
      case '"': {
        const end = endOfString(json, at);
        const names = open.at(-1);
        if (nameExpected && names !== undefined) {
          const name = nameOf(json.slice(at, end + 1));
          if (names.has(name)) return name;
          names.add(name);
          nameExpected = false;
        }
        at = end;
        break;
      }
      default:
    }
  }
  return undefined;
}

// Two spellings of a name are one name. Few have an escape.
function nameOf(literal: string): string {
  return literal.includes('\\') ? String(JSON.parse(literal)) : literal.slice(1, -1);
}

function endOfString(json: string, start: number): number {
  let end = json.indexOf('"', start + 1);
  while (end !== -1) {
    let backslashes = 0;
    while (json[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end;
    end = json.indexOf('"', end + 1);
  }
  return json.length;
}
