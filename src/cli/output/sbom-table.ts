// SPDX-License-Identifier: Apache-2.0
import type { FoundPackage, ImageContents, PackageDifference } from '../../sbom/index.ts';
import { printable } from './printable.ts';

/** `bulla sbom --output table`: a line a package. */
export function sbomTable(contents: ImageContents, platform: string): string {
  const { digest, system, packages, layers } = contents;
  const head = [
    `Image:    ${printable(contents.repository)}@${digest}`,
    `Platform: ${printable(platform)}`,
    `System:   ${printable(system?.prettyName ?? system?.id ?? 'not named')}`,
    `Packages: ${packages.length} in ${layers.length} layer${layers.length === 1 ? '' : 's'}`,
  ];
  const rows = packages.map((one) => [
    shortName(one),
    one.version ?? '',
    one.kind,
    one.architecture ?? '',
    String(one.layer.index),
    shortened(one.licenceExpression ?? one.licences.join(', ')),
  ]);
  const table =
    rows.length === 0 ? [] : ['', ...columns([['NAME', 'VERSION', 'KIND', 'ARCH', 'LAYER', 'LICENCE'], ...rows])];
  return `${[...head, ...table].join('\n')}\n`;
}

/** `bulla sbom diff`: what came, went and changed. */
export function differenceTable({ added, removed, changed, unchanged }: PackageDifference): string {
  const rows = [
    ...added.map((one) => ['+', shortName(one), one.kind, '', one.version ?? '']),
    ...removed.map((one) => ['-', shortName(one), one.kind, one.version ?? '', '']),
    ...changed.map((one) => ['~', shortName(one), one.kind, one.from.join(', '), one.to.join(', ')]),
  ];
  const total = `${added.length} added, ${removed.length} removed, ${changed.length} changed, ${unchanged} unchanged`;
  if (rows.length === 0) return `${total}\n`;
  return `${[...columns([['', 'NAME', 'KIND', 'FROM', 'TO'], ...rows]), '', total].join('\n')}\n`;
}

function shortName({
  kind,
  namespace,
  name,
}: Pick<FoundPackage, 'namespace' | 'name'> & { readonly kind: string }): string {
  if (namespace === undefined || kind === 'deb' || kind === 'rpm' || kind === 'apk') return name;
  return kind === 'maven' ? `${namespace}:${name}` : `${namespace}/${name}`;
}

/** Documents have all of it. */
function shortened(text: string): string {
  return text.length <= WIDEST ? text : `${text.slice(0, WIDEST - 1)}…`;
}

/** No column is wider than this, but the last. */
const WIDEST = 60;

function columns(rows: readonly (readonly string[])[]): string[] {
  const shown = rows.map((row) => row.map((cell) => printable(cell)));
  const widths = (shown[0] ?? []).map((_, at) =>
    Math.min(WIDEST, Math.max(...shown.map((row) => row[at]?.length ?? 0))),
  );
  return shown.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
