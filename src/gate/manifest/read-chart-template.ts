// SPDX-License-Identifier: Apache-2.0
import { parseReference, ReferenceFault } from '../../oci/index.ts';
import type { FileFindings } from './findings.ts';

const COMMENT = /(?<=^|[ \t])#.*$/gm;
/** `image: name`, also in a list and in `{…}`; what stands beside an action or a variable is no whole name */
const IMAGE =
  /(?<![\w./$-])(?:image|"image"|'image')[ \t]*:[ \t]+(?:"([^"\n{}$]{0,1000})"|'([^'\n{}$]{0,1000})'|([^\s"'{}[\],&*!|>%@`$-][^\s"'{},$]{0,1000}))(?=[\s,}]|$)/g;

/**
 * Finds the images that stand in a template of a chart as they are, with nothing to be put in: no values change them, and whoever reads the
 * values alone would not see them. What the template makes of its values only `helm template` shows.
 *
 * @see https://helm.sh/docs/chart_template_guide/
 */
export function readChartTemplate(into: FileFindings): void {
  const text = withoutActions(into.source.text).replace(COMMENT, blanked);
  for (const found of text.matchAll(IMAGE)) {
    const [whole, double, single, plain] = found;
    const image = double ?? single ?? plain ?? '';
    if (!isReference(image)) continue;
    const end = found.index + whole.length - (plain === undefined ? 1 : 0);
    into.image(image, { start: end - image.length, end }, ['image']);
  }
}

/** What the chart is still to put in, blanked: a comment may hold braces, anything else ends at the first two. One pass, however many there are. */
function withoutActions(text: string): string {
  const parts: string[] = [];
  let at = 0;
  for (let start = text.indexOf('{{'); start !== -1; start = text.indexOf('{{', at)) {
    parts.push(text.slice(at, start));
    const isComment = /^\{\{(?:- ?)?\/\*/.test(text.slice(start, start + 6));
    const inner = isComment ? text.indexOf('*/', start) : start;
    const end = inner === -1 ? -1 : text.indexOf('}}', inner);
    at = end === -1 ? text.length : end + 2;
    parts.push(blanked(text.slice(start, at)));
  }
  return parts.join('') + text.slice(at);
}

/** As long as before, and of braces: what touches it is part of something that is not rendered. */
function blanked(text: string): string {
  return '{'.repeat(text.length);
}

function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch (error) {
    if (error instanceof ReferenceFault) return false;
    throw error;
  }
}
