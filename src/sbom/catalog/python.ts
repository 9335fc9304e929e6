// SPDX-License-Identifier: Apache-2.0
import { isLicenceExpression } from '../licence.ts';
import { FileFault, type Cataloger, type FileReader } from './cataloger.ts';
import { cleanValue, decodeText, stanzas } from './text.ts';

/** A wheel's metadata, an egg's, and that of what setuptools or distutils installed. */
const METADATA = /(?:^|\/)[^/]+(?:\.dist-info\/METADATA|\.egg-info\/PKG-INFO|\.egg-info|EGG-INFO\/PKG-INFO)$/;

/** @see https://packaging.python.org/en/latest/specifications/recording-installed-packages/ */
export const python: Cataloger = {
  name: 'python',
  select(path) {
    if (!path.endsWith('/METADATA') && !path.endsWith('/PKG-INFO') && !path.endsWith('.egg-info')) return undefined;
    return METADATA.test(path) && !isVendored(`/${path}`) ? metadata : undefined;
  },
};

/** What lies deeper in a folder of installed packages is part of one of them, as pip sees it. */
function isVendored(path: string): boolean {
  const folders = ['/site-packages/', '/dist-packages/'].map((folder) => path.lastIndexOf(folder));
  const at = Math.max(...folders);
  if (at === -1) return false;
  const [first = ''] = path.slice(at + '/site-packages/'.length).split('/', 1);
  return !/\.(?:dist-info|egg-info|egg)$/.test(first);
}

const metadata: FileReader = {
  kind: 'whole',
  read(bytes) {
    // the headers end at the first empty line, the description follows
    const [fields] = stanzas(decodeText(bytes));
    const value = (name: string): string | undefined => cleanValue(fields?.get(name)?.[0]);
    const [name, version, homepage] = [value('name'), value('version'), value('home-page')];
    if (fields === undefined || name === undefined || version === undefined) {
      throw new FileFault('it is metadata of a Python package and has no name or no version');
    }
    const licences = licencesOf(fields);
    return {
      packages: [
        {
          kind: 'pypi',
          name,
          version,
          ...(licences.length === 0 ? {} : { licences }),
          ...(homepage === undefined || homepage === 'UNKNOWN' ? {} : { homepage }),
        },
      ],
    };
  },
};

const MAX_NAME = 100;

/** An expression where there is one; the free text where it is a name and not a whole licence; else the classifiers. */
function licencesOf(fields: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const expression = cleanValue(fields.get('license-expression')?.[0]);
  if (expression !== undefined) return [expression];
  const raw = fields.get('license')?.[0] ?? '';
  const text = raw.includes('\n') ? undefined : cleanValue(raw);
  if (text !== undefined && isLicenceExpression(text)) return [text];
  const classified = (fields.get('classifier') ?? [])
    .filter((classifier) => classifier.startsWith('License ::'))
    .flatMap((classifier) => cleanValue(classifier.split('::').at(-1)) ?? [])
    .filter((name) => name !== 'OSI Approved');
  if (classified.length > 0) return classified.slice(0, 16);
  return text === undefined || text === 'UNKNOWN' || text.length > MAX_NAME ? [] : [text];
}
