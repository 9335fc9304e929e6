// SPDX-License-Identifier: Apache-2.0

/** `*` within a path segment, `**` across segments, or one character as it is. */
type Token =
  | { readonly kind: 'within' }
  | { readonly kind: 'across' }
  | { readonly kind: 'one'; readonly text: string };

/**
 * A pattern for names: `*` stands for any characters but `/` (also none), `**` for any characters at all, everything else for itself.
 * Matches the whole name. Matching walks the name once, for all positions in the pattern together: its time is bounded by the
 * length of the name times the length of the pattern, whatever they hold.
 *
 * @example new Glob('team/*').matches('team/app')   // true; 'team/app/web' is not, 'team/**' matches both
 */
export class Glob {
  readonly #tokens: readonly Token[];

  constructor(pattern: string) {
    this.#tokens = tokens(pattern);
  }

  matches(name: string): boolean {
    let reached = this.#skip(new Set([0]));
    for (const character of name) {
      const next = new Set<number>();
      for (const at of reached) {
        const token = this.#tokens[at];
        if (token === undefined) continue;
        if (token.kind === 'one') {
          if (token.text === character) next.add(at + 1);
        } else if (token.kind === 'across' || character !== '/') next.add(at);
      }
      if (next.size === 0) return false;
      reached = this.#skip(next);
    }
    return reached.has(this.#tokens.length);
  }

  /** Adds the positions behind wildcards, which may stand for nothing. */
  #skip(positions: Set<number>): Set<number> {
    for (const at of positions) {
      const token = this.#tokens[at];
      if (token !== undefined && token.kind !== 'one') positions.add(at + 1); // a Set is walked to what was added meanwhile
    }
    return positions;
  }
}

function tokens(pattern: string): readonly Token[] {
  const found: Token[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const text = pattern.charAt(at);
    if (text !== '*') found.push({ kind: 'one', text });
    else if (pattern.charAt(at + 1) === '*') {
      found.push({ kind: 'across' });
      at++;
    } else found.push({ kind: 'within' });
  }
  return found;
}
