// SPDX-License-Identifier: Apache-2.0
import type { PackageDraft } from '../package.ts';
import { FileFault, type Cataloger, type Evidence, type FileReader } from './cataloger.ts';
import { debianLicences } from './debian-copyright.ts';
import { tellingLines } from './telling-path.ts';
import { cleanValue, decodeText, stanzas } from './text.ts';

const STATUS = 'var/lib/dpkg/status';
const STATUS_FOLDER = 'var/lib/dpkg/status.d/';
const LISTS = 'var/lib/dpkg/info/';
const COPYRIGHT = /^usr\/share\/doc\/([^/]+)\/copyright$/;
const DOCUMENTATION = /^usr\/share\/doc\/([^/]+)$/;

/** States in which no file of a package is there. @see https://manpages.debian.org/stable/dpkg/dpkg.1.en.html#Package_states */
const ABSENT: ReadonlySet<string> = new Set(['not-installed', 'config-files']);

/**
 * Debian packages: dpkg's database, and distroless images' `status.d`, which has a file a package.
 * @see https://manpages.debian.org/stable/dpkg/dpkg-query.1.en.html
 */
export const dpkg: Cataloger = {
  name: 'dpkg',
  select(path) {
    if (path === STATUS) return status;
    if (path.startsWith(STATUS_FOLDER)) return path.endsWith('.md5sums') ? sums : statusFile;
    if (path.startsWith(LISTS) && path.endsWith('.list')) return list;
    return path.startsWith('usr/share/doc/') && COPYRIGHT.test(path) ? copyright : undefined;
  },
  selectLink(path, target) {
    if (path === STATUS || path === STATUS_FOLDER.slice(0, -1)) {
      return { findings: [{ code: 'link-not-followed', message: 'the package database is a symbolic link' }] };
    }
    const documentation = DOCUMENTATION.exec(path)?.[1];
    const other = /^(?:\.\/|\.\.\/doc\/|\/usr\/share\/doc\/)?([^/]+)\/?$/.exec(target)?.[1];
    if (documentation === undefined || other === undefined) return undefined;
    return { sharesLicencesWith: { package: documentation, other } };
  },
};

const status: FileReader = { kind: 'whole', read: (bytes) => readStatus(bytes) };

const statusFile: FileReader = { kind: 'whole', read: (bytes) => readStatus(bytes) };

/** `PACKAGE[:ARCH].list`: the paths that a package brought. */
const list: FileReader = {
  kind: 'whole',
  read: (bytes, path) => ({
    owned: { package: path.slice(LISTS.length, -'.list'.length), paths: tellingLines(decodeText(bytes)) },
  }),
};

/** `status.d/PACKAGE.md5sums` of distroless images: `MD5  PATH` a line. */
const sums: FileReader = {
  kind: 'whole',
  read: (bytes, path) => ({
    owned: {
      package: path.slice(STATUS_FOLDER.length, -'.md5sums'.length),
      paths: tellingLines(decodeText(bytes).replace(/^[0-9a-f]{32} [ *]/gm, '/')),
    },
  }),
};

const copyright: FileReader = {
  kind: 'whole',
  read(bytes, path) {
    const texts = debianLicences(decodeText(bytes));
    const name = COPYRIGHT.exec(path)?.[1];
    return name === undefined || texts.length === 0 ? undefined : { licences: { package: name, texts } };
  },
};

function readStatus(bytes: Uint8Array): Evidence {
  const packages: PackageDraft[] = [];
  let broken = 0;
  for (const fields of stanzas(decodeText(bytes))) {
    const state = fields.get('status')?.[0]?.split(/\s+/)[2];
    if (state !== undefined && ABSENT.has(state)) continue;
    const draft = draftOf(fields);
    if (draft === undefined) broken++;
    else packages.push(draft);
  }
  if (packages.length === 0 && broken > 0) throw new FileFault('it has no package with a name');
  if (broken === 0) return { packages };
  const message = `${broken} of its entries have no usable name or version`;
  return { packages, findings: [{ code: 'file-malformed', message }] };
}

function draftOf(fields: ReadonlyMap<string, readonly string[]>): PackageDraft | undefined {
  const value = (name: string): string | undefined => cleanValue(fields.get(name)?.[0]);
  const [name, version, architecture] = [value('package'), value('version'), value('architecture')];
  if (name === undefined || version === undefined) return undefined;
  const source = sourceOf(value('source'), name, version);
  const [supplier, homepage] = [value('maintainer'), value('homepage')];
  return {
    kind: 'deb',
    name,
    version,
    ...(architecture === undefined ? {} : { architecture }),
    ...(source === undefined ? {} : { source }),
    ...(supplier === undefined ? {} : { supplier }),
    ...(homepage === undefined ? {} : { homepage }),
  };
}

/** `Source: NAME (VERSION)`, the version only where it differs. */
function sourceOf(text: string | undefined, name: string, version: string): PackageDraft['source'] {
  const [, source, other] = /^(\S+)(?:\s+\(([^)]+)\))?$/.exec(text ?? '') ?? [];
  if (source === undefined || (source === name && (other ?? version) === version)) return undefined;
  return { name: source, version: other ?? version };
}
