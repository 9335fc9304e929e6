// SPDX-License-Identifier: Apache-2.0
import type { PackageDraft } from '../../package.ts';
import { FileFault, type Cataloger, type Evidence, type FileReader } from '../cataloger.ts';
import { isTellingPath } from '../telling-path.ts';
import { cleanValue } from '../text.ts';
import { ndbBlobs } from './ndb.ts';
import { RpmHeader, Tag } from './rpm-header.ts';
import { sqliteRows } from './sqlite-table.ts';

/** Where rpm keeps its database: older systems, newer ones, and those whose `/var` is not part of the image. */
const DATABASE = /^(?:var\/lib\/rpm|usr\/lib\/sysimage\/rpm|usr\/share\/rpm)\/([^/]+)$/;

/** Keys that rpm lists among packages. */
const KEY = 'gpg-pubkey';

/**
 * rpm's packages, in both of the kinds of database that are written today: `sqlite` and `ndb`. The one before them, Berkeley DB, is told of
 * and not read.
 * @see https://rpm-software-management.github.io/rpm/man/rpm.8
 */
export const rpm: Cataloger = {
  name: 'rpm',
  select(path) {
    const file = DATABASE.exec(path)?.[1];
    if (file === 'rpmdb.sqlite') return sqlite;
    if (file === 'rpmdb.sqlite-wal') return writeAheadLog;
    if (file === 'Packages.db') return ndb;
    return file === 'Packages' ? berkeley : undefined;
  },
};

const sqlite: FileReader = { kind: 'whole', read: (bytes) => readHeaders(sqliteBlobs(bytes)) };
const ndb: FileReader = { kind: 'whole', read: (bytes) => readHeaders(ndbBlobs(bytes)) };

/** What was written to a database and not yet put into it. An orderly end of rpm leaves none. */
const writeAheadLog: FileReader = {
  kind: 'whole',
  read(bytes) {
    if (bytes.length <= 32) return undefined; // its header only
    throw new FileFault(
      'the package database has changes in a write-ahead log, which are not read',
      'database-unsupported',
    );
  },
};

const berkeley: FileReader = {
  kind: 'whole',
  read() {
    throw new FileFault('the package database is a Berkeley DB, expected sqlite or ndb', 'database-unsupported');
  },
};

function* sqliteBlobs(bytes: Uint8Array): Generator<Uint8Array> {
  for (const row of sqliteRows(bytes, 'Packages')) {
    const blob = row.at(-1);
    if (!(blob instanceof Uint8Array)) throw new FileFault('its table Packages has a row without a header');
    yield blob;
  }
}

function readHeaders(blobs: Iterable<Uint8Array>): Evidence {
  const packages: PackageDraft[] = [];
  const owned: string[] = [];
  let broken = 0;
  for (const blob of blobs) {
    const header = new RpmHeader(blob);
    const draft = draftOf(header);
    if (draft === undefined) broken++;
    else if (draft.name !== KEY) {
      packages.push(draft);
      for (const path of pathsOf(header)) owned.push(`${draft.name}\0${path}`);
    }
  }
  const findings =
    broken === 0
      ? []
      : [{ code: 'file-malformed' as const, message: `${broken} of its packages have no usable name or version` }];
  return { packages, ownedBy: owned.join('\n'), findings };
}

function draftOf(header: RpmHeader): PackageDraft | undefined {
  const value = (tag: number): string | undefined => cleanValue(header.text(tag));
  const [name, version, release] = [value(Tag.name), value(Tag.version), value(Tag.release)];
  if (name === undefined || version === undefined) return undefined;
  const epoch = header.numbers(Tag.epoch)[0];
  const [architecture, licence, supplier, homepage] = [Tag.arch, Tag.license, Tag.vendor, Tag.url].map((tag) =>
    value(tag),
  );
  const source = sourceOf(value(Tag.sourceRpm));
  return {
    kind: 'rpm',
    name,
    version: release === undefined ? version : `${version}-${release}`,
    ...(architecture === undefined ? {} : { architecture }),
    ...(licence === undefined ? {} : { licences: [licence] }),
    ...(source === undefined || source.name === name ? {} : { source }),
    ...(supplier === undefined ? {} : { supplier }),
    ...(homepage === undefined ? {} : { homepage }),
    // where purls have it, https://github.com/package-url/purl-spec/blob/main/types-doc/rpm-definition.md
    ...(epoch === undefined ? {} : { qualifiers: { epoch: String(epoch) } }),
  };
}

/** `bash-5.2.15-3.fc38.src.rpm` */
function sourceOf(file: string | undefined): PackageDraft['source'] {
  const [, name, version] = /^(.+)-([^-]+-[^-]+)\.(?:no)?src\.rpm$/.exec(file ?? '') ?? [];
  return name === undefined || version === undefined ? undefined : { name, version };
}

function pathsOf(header: RpmHeader): readonly string[] {
  const [names, folders, indexes] = [
    header.texts(Tag.baseNames),
    header.texts(Tag.dirNames),
    header.numbers(Tag.dirIndexes),
  ];
  return names.map((name, at) => `${folders[indexes[at] ?? -1] ?? ''}${name}`).filter((path) => isTellingPath(path));
}
