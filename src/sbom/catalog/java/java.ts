// SPDX-License-Identifier: Apache-2.0
import type { SbomLimits } from '../../limits.ts';
import type { PackageDraft } from '../../package.ts';
import { FileFault, type Cataloger, type Evidence, type FileReader } from '../cataloger.ts';
import { cleanValue, decodeText } from '../text.ts';
import { artifactOfManifest, decodeManifestFile } from './jar-manifest.ts';
import { decodeProperties } from './properties.ts';
import { ZipArchive, type ZipEntry } from './zip-archive.ts';

const ARCHIVE = /\.(?:jar|war|ear|jpi|hpi)$/i;
const POM = /^META-INF\/maven\/[^/]+\/[^/]+\/pom\.properties$/;
const MANIFEST = 'META-INF/MANIFEST.MF';
const MAX_POM = 1024 * 1024;
/** bytes that are unpacked for one file of the image: an archive can be nothing but bombs */
const MAX_UNPACKED = 512 * 1024 * 1024;

/**
 * Java archives, and the archives in them: what Maven says of them in `pom.properties`, else what their manifest says, else their name.
 * @see https://maven.apache.org/shared/maven-archiver/#pom-properties-content
 */
export const java: Cataloger = {
  name: 'java',
  select: (path) => (ARCHIVE.test(path) ? archive : undefined),
};

const archive: FileReader = {
  kind: 'whole',
  read(bytes, path, limits) {
    const reading = new Reading(limits);
    reading.archive(bytes, path, '', 1);
    return { packages: reading.packages, findings: reading.findings };
  },
};

/** One file of the image with all archives in it. */
class Reading {
  readonly packages: PackageDraft[] = [];
  readonly findings: NonNullable<Evidence['findings']>[number][] = [];
  readonly #limits: SbomLimits;
  #unpacked = 0;

  constructor(limits: SbomLimits) {
    this.#limits = limits;
  }

  /** @param inside where it lies, `''` for the file itself, else `!/…` */
  archive(bytes: Uint8Array, path: string, inside: string, depth: number): void {
    const zip = new ZipArchive(bytes);
    const own: PackageDraft[] = [];
    let manifest: ZipEntry | undefined;
    for (const entry of zip.entries()) {
      if (entry.name === MANIFEST) manifest ??= entry;
      else if (POM.test(entry.name))
        this.#guard(inside, () => own.push(...artifactOfPom(this.#read(zip, entry, MAX_POM), inside)));
      else if (ARCHIVE.test(entry.name) && !entry.name.endsWith('/')) {
        this.#guard(inside, () => this.#nestedArchive(zip, entry, `${inside}!/${entry.name}`, depth + 1));
      }
    }
    if (own.length === 0) this.#guard(inside, () => own.push(...this.#byManifest(zip, manifest, path, inside)));
    this.packages.push(...own);
    if (this.packages.length > this.#limits.packages)
      throw new FileFault('it holds more packages than are listed', 'too-many');
  }

  #nestedArchive(zip: ZipArchive, entry: ZipEntry, inside: string, depth: number): void {
    if (depth > this.#limits.archiveDepth) {
      throw new FileFault(
        `${inside.slice(0, 500)} is an archive ${depth} deep in archives, at most ${this.#limits.archiveDepth} are read`,
        'too-many',
      );
    }
    this.archive(this.#read(zip, entry, this.#limits.fileBytes), entry.name, inside, depth);
  }

  #read(zip: ZipArchive, entry: ZipEntry, maxBytes: number): Uint8Array {
    this.#unpacked += Math.min(entry.size, maxBytes);
    if (this.#unpacked <= MAX_UNPACKED) return zip.read(entry, maxBytes);
    throw new FileFault(`the files in it have more than ${MAX_UNPACKED} bytes`, 'file-too-large');
  }

  #byManifest(zip: ZipArchive, entry: ZipEntry | undefined, path: string, inside: string): readonly PackageDraft[] {
    const fields =
      entry === undefined ? new Map<string, string>() : decodeManifestFile(this.#read(zip, entry, MAX_POM));
    const artifact = artifactOfManifest(fields, path.split('/').at(-1) ?? '');
    return artifact === undefined ? [] : [{ ...artifact, ...(inside === '' ? {} : { inside }) }];
  }

  /** What is broken in an archive does not hide the rest of it. */
  #guard(inside: string, read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof FileFault) || this.findings.length >= 100) throw error;
      this.findings.push({
        code: error.code,
        message: `${inside === '' ? '' : `in ${inside.slice(0, 500)}: `}${error.message}`,
      });
    }
  }
}

function artifactOfPom(bytes: Uint8Array, inside: string): readonly PackageDraft[] {
  const properties = decodeProperties(decodeText(bytes));
  const [namespace, name, version] = ['groupId', 'artifactId', 'version'].map((key) => cleanValue(properties.get(key)));
  if (namespace === undefined || name === undefined || version === undefined) {
    throw new FileFault('its pom.properties has no groupId, artifactId or version');
  }
  return [{ kind: 'maven', namespace, name, version, ...(inside === '' ? {} : { inside }) }];
}
