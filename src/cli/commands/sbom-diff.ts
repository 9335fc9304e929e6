// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ListedPackage } from '../../sbom/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { readFile } from '../file/read-file.ts';
import { checkStdin } from '../flags/manifest-files.ts';
import { openRepository, REGISTRY_FLAGS, type RegistryFlagValues } from '../flags/registry.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';
import { differenceTable } from '../output/sbom-table.ts';

/** `bulla sbom diff`: what came, what went, what changed. */
export const command: Command = defineCommand({
  name: 'sbom diff',
  summary: 'Show which packages two images or SBOMs differ in',
  description:
    'Compares packages by kind and name. A and B are images, or files with an SPDX 2 or CycloneDX document in JSON, by whatever program: what is the ' +
    'name of a file is that file, and - standard input. Exits 0 whether or not they differ.',
  usage: '[flags] A B',
  arguments: { min: 2, max: 2, name: 'image or SBOM' },
  flags: {
    platform: {
      kind: 'string',
      default: '',
      placeholder: 'OS/ARCH[/VARIANT]',
      help: 'the platform to compare, where an image is an index of several',
    },
    ...REGISTRY_FLAGS,
  },
  examples: [
    'bulla sbom diff registry.example.com/platform/demo-api:1.3 registry.example.com/platform/demo-api:1.4',
    'bulla sbom diff released.spdx.json oci-layout:./build:1.4',
  ],
  async run(context, [before = '', after = ''], flags) {
    const { comparePackages } = await import('../../sbom/index.ts');
    checkStdin([before, after]);
    const from = await packagesOf(context, before, flags);
    const to = await packagesOf(context, after, flags);
    const difference = comparePackages(from, to);
    if (context.json) writeJson(context, { from: before, to: after, ...difference, warnings: context.warnings });
    else context.stdout(differenceTable(difference));
    return EXIT.ok;
  },
});

async function packagesOf(
  context: CommandContext,
  name: string,
  flags: RegistryFlagValues & { readonly platform: string },
): Promise<readonly ListedPackage[]> {
  const { listPackages, MAX_DOCUMENT, platformName, readDocument, readImage } = await import('../../sbom/index.ts');
  if (name === '-') return readDocument(await context.readStdin(MAX_DOCUMENT), 'standard input').packages;
  if (existsSync(resolve(context.cwd, name))) {
    const bytes = await readFile(name, { cwd: context.cwd, what: 'SBOM', maxBytes: MAX_DOCUMENT });
    return readDocument(bytes, name).packages;
  }
  // a file that is not there is not asked for at a registry
  if (/^\.{0,2}\/|\.(?:json|xml|spdx)$/i.test(name))
    throw new CliError('file-missing', `reading SBOM: open ${name}: no such file or directory`);
  if (couldBeFile(name)) context.warn(`${printable(name)} is no file here: it is taken for an image`);
  const { repository, target } = await openRepository(context, name, flags, { actions: 'pull' });
  const options = { signal: context.signal, ...(flags.platform === '' ? {} : { platform: flags.platform }) };
  let only: { readonly packages: readonly ListedPackage[]; readonly platform: string } | undefined;
  for await (const contents of readImage(repository, target, options)) {
    const { findings, platform } = contents;
    if (only !== undefined) {
      throw new CliError(
        'usage',
        `${name} is for several platforms, among them ${only.platform} and ${platformName(platform)}: choose with --platform`,
      );
    }
    if (findings.length > 0) context.warn(`${findings.length} files of ${name} were not read: bulla sbom tells which`);
    only = { packages: listPackages(contents), platform: platformName(platform) };
  }
  return only?.packages ?? [];
}

/** Neither a registry nor a tag nor a digest: more likely the name of a file that is somewhere else. */
function couldBeFile(name: string): boolean {
  return !/[:@]/.test(name) && !/^[^/]*\.[^/]*\//.test(name);
}
