// SPDX-License-Identifier: Apache-2.0
import type { PackageDraft } from '../../package.ts';
import { cleanValue, decodeText } from '../text.ts';

/**
 * The main section of a manifest, names in lower case.
 * @see https://docs.oracle.com/en/java/javase/21/docs/specs/jar/jar.html#name-value-pairs-and-sections
 */
export function decodeManifestFile(bytes: Uint8Array): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  // a line that begins with a space goes on with the one before it
  const [main = ''] = decodeText(bytes).replace(/\r\n?/g, '\n').replace(/\n /g, '').split('\n\n', 1);
  for (const line of main.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return fields;
}

/**
 * The artifact that an archive is, by its manifest and its file's name; `undefined` where neither tells a version. No group: what stands in
 * manifests is at times that of Maven and at times another.
 *
 * @param file for example `guava-32.1.2-jre.jar`
 */
export function artifactOfManifest(fields: ReadonlyMap<string, string>, file: string): PackageDraft | undefined {
  const value = (...names: readonly string[]): string | undefined =>
    names.map((name) => cleanValue(fields.get(name))).find((found) => found !== undefined);
  // no file system has longer names
  const named = file.length > 255 ? '' : file;
  const [, called, tagged] = /^(.+?)(?:-(\d[A-Za-z0-9.+_-]*))?\.[a-z]+$/i.exec(named) ?? [];
  const version = cleanValue(tagged) ?? value('implementation-version', 'bundle-version', 'specification-version');
  const symbolic = value('bundle-symbolicname')?.split(';')[0]?.trim();
  const name = cleanValue(called) ?? symbolic ?? value('implementation-title');
  if (name === undefined || version === undefined) return undefined;
  const licence = value('bundle-license');
  return {
    kind: 'maven',
    name,
    version,
    ...(licence === undefined ? {} : { licences: [licence.split(';')[0] ?? licence] }),
  };
}
