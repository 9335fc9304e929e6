// SPDX-License-Identifier: Apache-2.0
import type { PackageDraft } from '../package.ts';
import type { Cataloger, Evidence, FileReader } from './cataloger.ts';
import { isTellingPath } from './telling-path.ts';
import { cleanValue, decodeText, lines } from './text.ts';

/** Where apk keeps its database; newer systems merge `/lib` into `/usr/lib`. */
const DATABASES: ReadonlySet<string> = new Set(['lib/apk/db/installed', 'usr/lib/apk/db/installed']);

/**
 * Alpine packages, by the specification of apk's database: a stanza a package, a letter a field.
 * @see https://wiki.alpinelinux.org/wiki/Apk_spec#Syntax
 */
export const apk: Cataloger = {
  name: 'apk',
  select: (path) => (DATABASES.has(path) ? installed : undefined),
  selectLink: (path) =>
    DATABASES.has(path)
      ? { findings: [{ code: 'link-not-followed', message: 'the package database is a symbolic link' }] }
      : undefined,
};

const installed: FileReader = { kind: 'whole', read: (bytes) => readInstalled(decodeText(bytes)) };

function readInstalled(text: string): Evidence {
  const packages: PackageDraft[] = [];
  const owned: string[] = [];
  let broken = 0;
  let fields = new Map<string, string>();
  const settle = (): void => {
    if (fields.size === 0) return;
    const draft = draftOf(fields);
    if (draft === undefined) broken++;
    else packages.push(draft);
    fields = new Map();
  };
  let folder = '';
  for (const line of lines(text)) {
    if (line === '') settle();
    else if (line[1] === ':') {
      const value = line.slice(2);
      // files follow the fields of their package, each under its folder
      if (line[0] === 'F') folder = value;
      else if (line[0] === 'R') {
        const path = `/${folder}/${value}`;
        if (isTellingPath(path)) owned.push(`${fields.get('P') ?? ''}\0${path}`);
      } else fields.set(line[0] ?? '', value);
    }
  }
  settle();
  const findings =
    broken === 0
      ? []
      : [{ code: 'file-malformed' as const, message: `${broken} of its entries have no usable name or version` }];
  return { packages, ownedBy: owned.join('\n'), findings };
}

function draftOf(fields: ReadonlyMap<string, string>): PackageDraft | undefined {
  const value = (letter: string): string | undefined => cleanValue(fields.get(letter));
  const [name, version, architecture, licence] = [value('P'), value('V'), value('A'), value('L')];
  if (name === undefined || version === undefined) return undefined;
  const [origin, supplier, homepage] = [value('o'), value('m'), value('U')];
  return {
    kind: 'apk',
    name,
    version,
    ...(architecture === undefined ? {} : { architecture }),
    ...(licence === undefined ? {} : { licences: [licence] }),
    ...(origin === undefined || origin === name ? {} : { source: { name: origin, version } }),
    ...(supplier === undefined ? {} : { supplier }),
    ...(homepage === undefined ? {} : { homepage }),
  };
}
