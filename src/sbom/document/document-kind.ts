// SPDX-License-Identifier: Apache-2.0

/** What a document is, by its own word. */
export type DocumentKind = 'spdx-json' | 'spdx' | 'cyclonedx-json' | 'cyclonedx-xml' | 'syft-json';

/** Where documents say it: SPDX, CycloneDX and syft among their first members, the others at once. Members may stand in any order. */
const MARKS: readonly (readonly [DocumentKind, RegExp])[] = [
  ['cyclonedx-json', /"bomFormat"\s*:\s*"CycloneDX"/],
  ['spdx-json', /"spdxVersion"\s*:\s*"SPDX-|"@context"\s*:\s*"https:\/\/spdx\.org\/rdf\/3/],
  ['syft-json', /"schema"\s*:\s*\{[^{}]*anchore\/syft/],
];

/**
 * Which kind of SBOM a document is, by whatever program; `undefined` for what is none. Nothing but its mark is looked at: whoever needs its
 * packages is told by `readDocument` what is wrong with it.
 *
 * @example documentKind(bytes) // 'spdx-json'
 */
export function documentKind(bytes: Uint8Array): DocumentKind | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const begin = text
    .slice(0, 4096)
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .trimStart();
  if (begin.startsWith('{')) return MARKS.find(([, mark]) => mark.test(text))?.[0];
  if (/^(?:#[^\n]*\n\s*)*SPDXVersion:\s*SPDX-/.test(begin)) return 'spdx';
  return begin.startsWith('<') && begin.includes('cyclonedx.org/schema/bom') ? 'cyclonedx-xml' : undefined;
}
