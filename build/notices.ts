// SPDX-License-Identifier: Apache-2.0
import type { Metafile } from 'esbuild';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './project.ts';

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
    const { name, version } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Record<
      string,
      string
    >;
    const file = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
    if (file === undefined) throw new Error(`${folder} has no licence file, so it cannot be bundled`);
    return `${name} ${version}\n\n${readFileSync(join(root, folder, file), 'utf8').trim()}\n`;
  });
  return ['The command line contains these packages.\n', ...notices].join(`\n${'-'.repeat(80)}\n\n`);
}
