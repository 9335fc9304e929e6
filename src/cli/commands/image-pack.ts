// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import type { PackOptions } from '../../oci/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { openRepository, REGISTRY_FLAGS, type OpenedRepository } from '../flags/registry.ts';
import { sourceDateEpoch } from '../flags/source-date-epoch.ts';
import { writeJson } from '../output/json-document.ts';
import { progressBar } from '../output/progress.ts';

const FLAGS = {
  entrypoint: { kind: 'strings', split: false, placeholder: 'WORD', help: 'what the image runs, a word each time' },
  cmd: { kind: 'strings', split: false, placeholder: 'WORD', help: 'its default arguments, a word each time' },
  env: { kind: 'strings', split: false, placeholder: 'NAME=VALUE', help: 'a variable of the image' },
  label: { kind: 'strings', split: false, placeholder: 'NAME=VALUE', help: 'a label of the image' },
  platform: {
    kind: 'string',
    default: '',
    placeholder: 'OS/ARCH',
    help: 'what it runs on, for example linux/arm64; linux on this processor unless told',
  },
  ...REGISTRY_FLAGS,
} as const;

/** What `image pack --json` prints. */
export interface PackDocument {
  /** `registry/repository`, or the folder of the layout */
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  /** `repository:tag@digest` */
  readonly reference: string;
  /** bytes of the compressed layer */
  readonly layerSize: number;
  /** what was warned of, for example that a check was dropped */
  readonly warnings: readonly string[];
}

/** `bulla image pack`: an image out of a folder. */
export const command: Command = defineCommand({
  name: 'image pack',
  summary: 'Make an image from a folder, without a container engine',
  description:
    'Packs the files of DIR as an image of one layer and pushes it to a registry, or into an OCI layout that is made where it is missing. The same ' +
    'files give the same digest; the npm package and the release binary compress differently, so that each has its own. SOURCE_DATE_EPOCH sets ' +
    'the time in it. Prints REPOSITORY:TAG@DIGEST.',
  usage: '[flags] DIR IMAGE[:TAG]',
  arguments: { min: 2, max: 2, name: 'DIR or IMAGE' },
  flags: FLAGS,
  examples: [
    'bulla image pack ./service registry.example.com/platform/demo-api:1.4 --entrypoint /server.sh',
    'bulla image pack ./service oci-layout:./build:1.4',
  ],
  async run(context, [directory = '', image = ''], flags) {
    const options = packOptions(context, flags);
    const { packImage, parseLocation, pushImage } = await import('../../oci/index.ts');
    const location = parseLocation(image);
    if ((location.kind === 'registry' ? location.reference : location).digest !== undefined) {
      throw new CliError('usage', `${image} names a digest, which is not known before the image is made: name a tag`);
    }
    const open = (): Promise<OpenedRepository> =>
      openRepository(context, image, flags, { actions: 'push', create: true });
    // what is wrong with flags shows before the work; a layout is made only when there is something to put into it
    const remote = location.kind === 'registry' ? await open() : undefined;
    const packed = await packImage(resolve(context.cwd, directory), options);
    const bar = progressBar(context, `pushing ${image}`);
    try {
      context.signal.throwIfAborted();
      const { repository, target: tag } = remote ?? (await open());
      const { descriptor } = await pushImage(repository, packed, {
        tag,
        progress: (done, total) => bar.update(done, total),
      });
      bar.end();
      report(context, {
        repository: repository.name,
        tag,
        digest: descriptor.digest,
        reference: `${repository.name}:${tag}@${descriptor.digest}`,
        layerSize: packed.blobs[0].size,
        warnings: context.warnings,
      });
      return EXIT.ok;
    } finally {
      bar.end();
      await packed.close();
    }
  },
});

function report(context: CommandContext, document: PackDocument): void {
  if (context.json) writeJson(context, document);
  else context.stdout(`${document.reference}\n`);
}

function packOptions(context: CommandContext, flags: FlagValues<typeof FLAGS>): PackOptions {
  const epoch = sourceDateEpoch(context);
  const { platform, entrypoint, cmd, env, label } = flags;
  const [, os, architecture] = /^([a-z0-9]+)\/([a-z0-9]+)$/.exec(platform) ?? [];
  if (platform !== '' && (os === undefined || architecture === undefined)) {
    throw new CliError(
      'flag-invalid',
      `invalid argument "${platform.slice(0, 80)}" for "--platform" flag: expected OS/ARCH such as linux/amd64`,
    );
  }
  return {
    ...(os === undefined || architecture === undefined ? {} : { os, architecture }),
    ...(entrypoint.length === 0 ? {} : { entrypoint }),
    ...(cmd.length === 0 ? {} : { command: cmd }),
    ...(env.length === 0 ? {} : { env }),
    ...(label.length === 0 ? {} : { labels: labelsOf(label) }),
    ...(epoch === undefined ? {} : { sourceDateEpoch: epoch }),
  };
}

function labelsOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf('=');
      if (equals > 0) return [pair.slice(0, equals), pair.slice(equals + 1)];
      throw new CliError(
        'flag-invalid',
        `invalid argument "${pair.slice(0, 80)}" for "--label" flag: expected NAME=VALUE`,
      );
    }),
  );
}
