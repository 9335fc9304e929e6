// SPDX-License-Identifier: Apache-2.0

/** Colours and weights for a terminal; identity where there is none. */
export interface Style {
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
  bold(text: string): string;
  dim(text: string): string;
}

/**
 * @param color `context.color`
 * @see https://www.ecma-international.org/publications-and-standards/standards/ecma-48/ section 8.3.117, SGR
 */
export function style(color: boolean): Style {
  const paint =
    (on: number, off: number) =>
    (text: string): string =>
      color ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return {
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    cyan: paint(36, 39),
    bold: paint(1, 22),
    dim: paint(2, 22),
  };
}
