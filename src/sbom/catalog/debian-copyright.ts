// SPDX-License-Identifier: Apache-2.0
import { cleanValue, lines } from './text.ts';

/** licences of one package that are kept */
const MAX_LICENCES = 64;

/** Debian's short names whose SPDX name is another. @see https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/#license-short-name */
const SPDX_NAMES: Readonly<Record<string, string>> = {
  'apache-2': 'Apache-2.0',
  artistic: 'Artistic-1.0-Perl',
  'artistic-2': 'Artistic-2.0',
  'bsd-2-clause': 'BSD-2-Clause',
  'bsd-3-clause': 'BSD-3-Clause',
  'bsd-4-clause': 'BSD-4-Clause',
  'cc0-1.0': 'CC0-1.0',
  expat: 'MIT',
  isc: 'ISC',
  'mpl-1.1': 'MPL-1.1',
  'mpl-2.0': 'MPL-2.0',
  zlib: 'Zlib',
};

/**
 * The licences in a Debian copyright file: the `License:` fields of a machine-readable one, else the common licences that it points to.
 * They are what the packaging declares, not what was found in sources.
 *
 * @see https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
 */
export function debianLicences(text: string): readonly string[] {
  const found = new Set<string>();
  const machineReadable = /^Format:.*copyright-format/im.test(text.slice(0, 4096));
  for (const line of lines(text)) {
    if (found.size >= MAX_LICENCES) break;
    if (machineReadable) {
      const name = cleanValue(/^License:(.*)$/i.exec(line)?.[1]);
      if (name !== undefined) found.add(spdxName(name));
    } else {
      for (const [, name] of line.matchAll(
        /\/usr\/share\/common-licenses\/([A-Za-z0-9][A-Za-z0-9.+-]*[A-Za-z0-9+])/g,
      )) {
        // that the text of a version lies there does not say whether later ones may be chosen
        if (name !== undefined) found.add(SPDX_NAMES[name.toLowerCase()] ?? name);
      }
    }
  }
  return [...found].toSorted();
}

/** `GPL-2+ or Expat` as SPDX writes it, where each of its names is known; else as it stands. */
function spdxName(text: string): string {
  const words = text.split(/\s+/);
  const parts: string[] = [];
  for (const word of words) {
    if (/^(?:and|or)$/i.test(word)) parts.push(word.toUpperCase());
    else parts.push(SPDX_NAMES[word.toLowerCase()] ?? gnuName(word) ?? word);
  }
  return parts.join(' ');
}

/** `GPL-2+` is `GPL-2.0-or-later`; `GPL` without a number names no licence. */
function gnuName(word: string): string | undefined {
  const [, family, number, later] = /^(A?GPL|LGPL|GFDL)-(\d(?:\.\d)?)(\+?)$/.exec(word) ?? [];
  if (family === undefined || number === undefined) return undefined;
  return `${family}-${number.includes('.') ? number : `${number}.0`}-${later === '+' ? 'or-later' : 'only'}`;
}
