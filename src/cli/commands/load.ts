// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import type { Kit, KitImage, LoadedImage } from '../../image/index.ts';
import {
  openLayout,
  parseLocation,
  parseReference,
  type Digest,
  type LayoutRepository,
  type Repository,
} from '../../oci/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { checkTagPrefix } from '../flags/attachment.ts';
import { openEvidence, openRepository, REGISTRY_FLAGS } from '../flags/registry.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';
import { progressBar } from '../output/progress.ts';

const FLAGS = {
  dir: { kind: 'string', default: '', placeholder: 'DIR', help: 'folder that save wrote, or cosign save' },
  to: {
    kind: 'string',
    default: '',
    placeholder: 'REGISTRY[/PREFIX]',
    help: 'load all images of a kit there, each under its own path; without it and IMAGE, where they came from',
  },
  platform: {
    kind: 'string',
    default: '',
    placeholder: 'OS/ARCH[/VARIANT]',
    help: 'of an index, load the image of this platform in its place',
  },
  'attachment-tag-prefix': {
    kind: 'string',
    default: '',
    placeholder: 'PREFIX',
    help: 'prefix of the tags beside the images',
  },
  ...REGISTRY_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** One image and where it goes. */
interface Move {
  /** what it is called in the kit, or the folder */
  readonly called: string;
  readonly from: Repository;
  readonly digest: Digest;
  /** of an index, the platform whose layers are there */
  readonly held?: string;
  /** a reference, or a layout */
  readonly target: string;
}

/** `bulla load`: what `save` wrote, into a registry. */
export const command: Command = defineCommand({
  name: 'load',
  summary: 'Load what save wrote into a registry, with its evidence',
  description:
    'Pushes the images of a kit, or the image that cosign save wrote, and all signatures, attestations and SBOMs that lie beside them. ' +
    'The tag is written last, so that whoever pulls by it finds the evidence; seals that others have laid there stay. Prints what was loaded as name:tag@digest. Nothing is verified.',
  usage: '[flags] --dir DIR [IMAGE]',
  arguments: { min: 0, max: 1, name: 'image' },
  flags: FLAGS,
  examples: [
    'bulla load --dir kit registry.example.org/platform/demo-api:1.4',
    'bulla load --dir kit --to registry.example.org/mirror',
  ],
  async run(context, [image], flags) {
    if (flags.dir === '') throw new CliError('usage', 'required flag(s) "dir" not set');
    if (image !== undefined && flags.to !== '') throw new CliError('usage', 'name an image or --to, not both');
    checkTagPrefix(flags);
    const moves = await movesOf(context, image, flags);
    const evidence = await openEvidence(context, flags, 'push');
    const loaded: object[] = [];
    for (const move of moves) {
      const { repository, tag } = await openTarget(context, move.target, flags);
      const done = await load(context, move, repository, tag, flags, evidence);
      for (const fault of done.faults) context.warn(`${printable(fault)}: it was not loaded`);
      const reference = `${repository.name}${tag === undefined ? '' : `:${tag}`}@${done.digest}`;
      if (!context.json) context.stdout(`${reference}\n`);
      const { digest, evidence: count } = done;
      loaded.push({
        from: move.called,
        repository: repository.name,
        tag: tag ?? null,
        digest,
        reference,
        evidence: count,
      });
    }
    if (context.json) writeJson(context, { dir: flags.dir, images: loaded, warnings: context.warnings });
    return EXIT.ok;
  },
});

async function load(
  context: CommandContext,
  move: Move,
  to: Repository,
  tag: string | undefined,
  flags: Flags,
  evidence: Repository | undefined,
): Promise<LoadedImage> {
  const { loadImage } = await import('../../image/index.ts');
  const bar = progressBar(context, `loading ${move.called}`);
  try {
    return await loadImage(move.from, to, move.digest, {
      ...(tag === undefined ? {} : { tag }),
      ...(flags.platform === '' ? {} : { platform: flags.platform }),
      ...(move.held === undefined ? {} : { held: move.held }),
      ...(evidence === undefined ? {} : { evidence }),
      tagPrefix: flags['attachment-tag-prefix'],
      progress: (done, total) => {
        context.signal.throwIfAborted();
        bar.update(done, total);
      },
    });
  } finally {
    bar.end();
  }
}

async function movesOf(context: CommandContext, image: string | undefined, flags: Flags): Promise<readonly Move[]> {
  const path = resolve(context.cwd, flags.dir);
  const layout = await openLayout(path);
  const { isKit, openKit } = await import('../../image/index.ts');
  const kit = (await isKit(layout)) ? await openKit(path) : undefined;
  if (image !== undefined) return [kit === undefined ? await soleOf(layout, image, flags) : soleOfKit(kit, image)];
  if (kit === undefined) {
    const hint = 'say where it goes: bulla load --dir DIR IMAGE';
    throw new CliError('usage', `${flags.dir} does not say what its image is called`, { hint });
  }
  const moves = kit.images.map((one) => moveOf(kit, one, `${placed(one, flags.to)}${suffix(one)}`));
  refuseCollisions(moves);
  return moves;
}

async function soleOf(layout: LayoutRepository, target: string, { dir }: Flags): Promise<Move> {
  return { called: dir, from: layout, digest: (await layout.soleImage()).digest, target };
}

function soleOfKit(kit: Kit, target: string): Move {
  const [only, ...others] = kit.images;
  if (only !== undefined && others.length === 0) return moveOf(kit, only, target);
  const hint = 'load all of them: --to REGISTRY[/PREFIX]';
  throw new CliError('usage', `the kit holds ${kit.images.length} images, and ${target} names one`, { hint });
}

function moveOf(kit: Kit, image: KitImage, target: string): Move {
  const { name, digest, platform } = image;
  const from = kit.repository(name);
  if (from === undefined) throw new CliError('usage', `the kit has nothing of ${name}`);
  return {
    called: `${name}${suffix(image)}`,
    from,
    digest,
    target,
    ...(platform === undefined ? {} : { held: platform }),
  };
}

function suffix({ tag, digest }: KitImage): string {
  return tag === undefined ? `@${digest}` : `:${tag}`;
}

function placed({ name }: KitImage, to: string): string {
  if (to === '') return name;
  const base = to.replace(/\/+$/, '');
  // what is no registry shows here
  if (parseReference(`${base}/x`).tag !== undefined || !/[.:]|^localhost/.test(base.split('/')[0] ?? ''))
    throw new CliError('usage', `--to is '${to}', expected REGISTRY[/PREFIX]`);
  return `${base}${name.slice(name.indexOf('/'))}`;
}

/** Two registries may have a repository of one path: the second image would take the place of the first. */
function refuseCollisions(moves: readonly Move[]): void {
  const taken = new Map<string, Move>();
  for (const move of moves) {
    const before = taken.get(move.target);
    if (before !== undefined && before.digest !== move.digest)
      throw new CliError(
        'usage',
        `${before.called} and ${move.called} would both be ${move.target}: load them one by one`,
      );
    taken.set(move.target, move);
  }
}

async function openTarget(
  context: CommandContext,
  target: string,
  flags: Flags,
): Promise<{ readonly repository: Repository; readonly tag?: string }> {
  const location = parseLocation(target);
  const { repository } = await openRepository(context, target, flags, { actions: 'push', create: true });
  const { tag, digest } = location.kind === 'registry' ? location.reference : location;
  if (tag === undefined && digest !== undefined) return { repository };
  return { repository, tag: tag ?? 'latest' };
}
