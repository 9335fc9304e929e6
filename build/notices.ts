// SPDX-License-Identifier: Apache-2.0
import type { Metafile } from 'esbuild';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './project.ts';

/** What of a package file is read here. */
interface PackageFile {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly author?: string | { readonly name: string };
}

const PACKAGE = /^node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+/;

/** The folders of the packages that a bundle contains, for example `node_modules/hono`. */
export function bundledPackages(metafile: Metafile): readonly string[] {
  const folders = Object.values(metafile.outputs)
    .flatMap((output) => Object.entries(output.inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .flatMap(([path]) => PACKAGE.exec(path)?.[0] ?? []);
  return [...new Set(folders)].toSorted();
}

/**
 * The licences of what a bundle contains, as these ask to be handed on with it.
 *
 * @throws Error where a package has no licence file: it must not be bundled then
 */
export function thirdPartyNotices(metafile: Metafile): string {
  const notices = bundledPackages(metafile).map((folder) => {
    const { name, version, license, author } = JSON.parse(
      readFileSync(join(root, folder, 'package.json'), 'utf8'),
    ) as PackageFile;
    const file = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
    const text =
      file === undefined
        ? (dataTerms(license, author) ?? standardText(license, sourcesOf(metafile, folder)))
        : readFileSync(join(root, folder, file), 'utf8');
    if (text === undefined) throw new Error(`${folder} has no licence file, so it cannot be bundled`);
    return `${name} ${version}\n\n${text.trim()}\n`;
  });
  return ['The command line contains these packages.\n', ...notices].join(`\n${'-'.repeat(80)}\n\n`);
}

/**
 * The terms of a package that names its licence and leaves the text out: that of Apache 2.0 is the same whoever grants it, and ours; other
 * terms are those that stand above the sources that are bundled.
 */
function standardText(license: string | undefined, sources: readonly string[]): string | undefined {
  const [main, ...others] = (license ?? '').replace(/^\((.*)\)$/, '$1').split(' AND ');
  if (main !== 'Apache-2.0') return undefined;
  const apache = readFileSync(join(root, 'LICENSE'), 'utf8');
  if (others.length === 0) return apache;
  const heads = new Set(sources.flatMap((path) => termsAbove(readFileSync(join(root, path), 'utf8'))));
  return heads.size === 0 ? undefined : [apache, ...heads].join('\n\n');
}

/** The terms of lists, for which naming author and licence by its address is enough. @see https://creativecommons.org/licenses/by/3.0/legalcode section 4 */
function dataTerms(license: string | undefined, author: PackageFile['author']): string | undefined {
  const by = typeof author === 'string' ? author : (author?.name ?? 'its authors');
  if (license === 'CC0-1.0')
    return `By ${by}, dedicated to the public domain: https://creativecommons.org/publicdomain/zero/1.0/`;
  if (license === 'CC-BY-3.0')
    return `By ${by}, unchanged, licensed under CC BY 3.0: https://creativecommons.org/licenses/by/3.0/`;
  return undefined;
}

/** The remark at the top of a source, where it grants something of its own. */
function termsAbove(source: string): readonly string[] {
  const head = /^(?:\/\/.*\n)+/.exec(source)?.[0] ?? '';
  return head.includes('Redistribution and use') ? [head.replace(/^\/\/ ?/gm, '').trim()] : [];
}

function sourcesOf(metafile: Metafile, folder: string): readonly string[] {
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  return inputs.flatMap(([path, { bytesInOutput }]) =>
    bytesInOutput > 0 && path.startsWith(`${folder}/`) ? [path] : [],
  );
}
