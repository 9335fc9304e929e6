// SPDX-License-Identifier: Apache-2.0

/** One measured thing beside the others of its table. */
export interface Row {
  readonly name: string;
  /** in the units of `Table.columns` */
  readonly values: readonly (number | undefined)[];
  /** to the table's first row */
  readonly ratio: number;
  /** what we want, for example `at most 0.5` */
  readonly goal?: string | undefined;
}

/** What one bench found. */
export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
  /** what a reader has to know, or what was left out and why */
  readonly notes: readonly string[];
}

/** A table as text, in the form that bench/README.md shows. */
export function formatTable({ title, columns, rows, notes }: Table): string {
  const head = ['', ...columns, 'ratio', 'goal'];
  const body = rows.map(({ name, values, ratio, goal }) => [
    name,
    ...values.map(formatNumber),
    ratio.toFixed(2),
    goal ?? '',
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [`## ${title}`, '', line(head), rule, ...body.map(line), ...notes.flatMap((note) => ['', note]), ''].join(
    '\n',
  );
}

function formatNumber(value: number | undefined): string {
  if (value === undefined) return '–';
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(1);
}
