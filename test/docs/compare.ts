// SPDX-License-Identifier: Apache-2.0

// What a command wrote beside what the page says. `…` stands for any text of a line, and alone on a line for any lines. What differs from run
// to run must be of its kind and, but for times, the same wherever the page says the same.

const DIGEST = /\b[0-9a-f]{64}\b/;
/** Moments and how long something took: two that were the same once need not be the same again. */
const TIMES: readonly RegExp[] = [
  /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/,
  /\b\d{4}-\d\d-\d\d\b/,
  /\b\d+(?:\.\d+)? m?s\b/,
];
const KINDS: readonly RegExp[] = [
  /eyJ[\w-]+\.[\w-]+\.[\w-]+/, // a token
  /(?:sha256:[0-9a-f]{12}|[A-Za-z0-9+/]{12})…/, // a digest or a key's hint, shortened
  /\bbulla-quickstart-\w{6}\b/,
  ...TIMES,
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/,
  /\b[0-9a-f]{80}\b/, // an entry's id
  DIGEST,
  /\b[0-9a-f]{40}\b/,
  /\b[0-9a-f]{16}\b/, // names of logs
  /\b\d{15,20}\b/,
  /(?<![\w+/.-])(?=[A-Za-z0-9+/_-]*[0-9])(?=[A-Za-z0-9+/_-]*[A-Z])(?=[A-Za-z0-9+/_-]*[a-z])[A-Za-z0-9+/_-]{28,}={0,2}/, // base64
  /\bv\d+\.\d+\.\d+\b/,
  /\b(?:127\.0\.0\.1|localhost):\d{5}\b/,
];
const ANY = new RegExp(KINDS.map(({ source }) => `(?:${source})`).join('|'), 'g');

/** What a page's values were in this run. */
export class Bindings {
  readonly #found: Map<string, string> = new Map();
  readonly #pages: Map<string, string> = new Map();

  /** Whether the page's value may be this one. */
  takes(page: string, found: string): boolean {
    if (TIMES.some((kind) => isWhole(kind, page))) return true;
    const known = this.#found.get(page);
    if (known !== undefined) return known === found;
    // two that are different in the page are two
    const isDigest = isWhole(DIGEST, page);
    if (isDigest && this.#pages.has(found)) return false;
    this.#found.set(page, found);
    if (isDigest) this.#pages.set(found, page);
    return true;
  }
}

function isWhole(kind: RegExp, text: string): boolean {
  return new RegExp(`^(?:${kind.source})$`).test(text);
}

/**
 * Compares.
 *
 * @returns the first line of the page that is not as it says, with what stands there; `undefined` where all is
 */
export function findDifference(
  expected: readonly string[],
  found: readonly string[],
  bindings: Bindings,
): { readonly expected: string; readonly found: string } | undefined {
  let at = 0;
  for (const [index, line] of expected.entries()) {
    if (line.trim() === '…') {
      const next = expected[index + 1];
      if (next === undefined) return undefined;
      while (at < found.length && !mayBe(next, found[at] ?? '')) at++;
      continue;
    }
    const actual = found[at++];
    if (actual === undefined) return { expected: line, found: '(the end)' };
    if (!isLine(line, actual, bindings)) return { expected: line, found: actual };
  }
  const rest = found[at];
  return rest === undefined ? undefined : { expected: '(the end)', found: rest };
}

function mayBe(expected: string, found: string): boolean {
  return patternOf(expected).pattern.test(found);
}

function isLine(expected: string, found: string, bindings: Bindings): boolean {
  const { pattern, values } = patternOf(expected);
  const match = pattern.exec(found);
  return match !== null && values.every((value, at) => bindings.takes(value, match[at + 1] ?? ''));
}

function patternOf(line: string): { readonly pattern: RegExp; readonly values: readonly string[] } {
  const values: string[] = [];
  let source = '';
  let at = 0;
  const plain = (text: string): string =>
    text
      .split('…')
      .map((part) => RegExp.escape(part))
      .join('.*?');
  for (const match of line.matchAll(ANY)) {
    const [value] = match;
    const kind = KINDS.find((one) => isWhole(one, value));
    source += `${plain(line.slice(at, match.index))}(${kind?.source ?? RegExp.escape(value)})`;
    values.push(value);
    at = match.index + value.length;
  }
  return { pattern: new RegExp(`^${source}${plain(line.slice(at))}$`), values };
}
