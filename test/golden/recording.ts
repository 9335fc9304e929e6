// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { attachedTag } from '../../src/image/index.ts';
import { fallbackTag, parseDigest, type Digest } from '../../src/oci/index.ts';
import { Layout, type LayoutEntry } from './layout.ts';
import { GOLDEN, readTranscript, type RecordedCommand } from './transcript.ts';

/** What one repository held at one moment. */
export interface RepositoryState {
  /** without the registry, for example `golden/sign-by-tag` */
  readonly path: string;
  readonly tags: ReadonlyMap<string, Digest>;
  /** untagged manifests that are found over the referrers API */
  readonly referrers: readonly Digest[];
}

/**
 * What cosign left in the registry, command by command. The layout of a case holds the repositories as they were at its end, the
 * manifests that lost their tag included. A tag that cosign appends to was written in steps, and the older manifests are those that
 * list less of the same (cosign sorts the index of referrers by digest): so each moment of the recording can be had again, with the
 * bytes that cosign wrote.
 */
export class Recording {
  readonly name: string;
  readonly commands: readonly RecordedCommand[];
  readonly layout: Layout;
  readonly #repositories: readonly RecordedRepository[];

  constructor(name: string) {
    this.name = name;
    this.commands = readTranscript(name);
    this.layout = new Layout(join(GOLDEN, name, 'layout'));
    this.#repositories = this.layout.exists ? this.#readRepositories() : [];
  }

  /** True where the registry's end state was recorded too. */
  get hasLayout(): boolean {
    return this.#repositories.length > 0;
  }

  /** The repositories just before a command was run. */
  before(command: RecordedCommand): readonly RepositoryState[] {
    const reached = new Map<string, number>();
    for (const earlier of this.commands.slice(0, command.at - 1)) {
      // `load` pushed the image before it failed
      if (earlier.outcome?.exit !== 0 && earlier.args[0] !== 'load') continue;
      for (const place of this.#written(earlier)) reached.set(place, (reached.get(place) ?? 0) + 1);
    }
    return this.#repositories.map((repository) => stateOf(repository, reached));
  }

  /** The repositories as the recording ended. */
  atEnd(): readonly RepositoryState[] {
    return this.#repositories.map((repository) => stateOf(repository, undefined));
  }

  #readRepositories(): readonly RecordedRepository[] {
    const entries = this.layout.entries();
    const untagged = entries.filter(({ tag }) => tag === undefined).map(({ digest }) => digest);
    return splitEntries(this.name, entries).map(([path, own]) => {
      const tags = new Map<string, readonly Digest[]>();
      for (const { tag, digest } of own) if (tag !== undefined) tags.set(tag, this.#history(digest, untagged));
      const listed = new Set(entries.flatMap(({ digest }) => this.layout.listOf(digest)));
      const referrers = path.endsWith(this.name)
        ? untagged.filter((digest) => this.layout.manifest(digest).subject !== undefined && !listed.has(digest))
        : [];
      return { path, tags, referrers: OVERWRITTEN.test(this.name) ? [] : referrers };
    });
  }

  /** The manifests that a tag named one after the other, the last one at the end. */
  #history(last: Digest, untagged: readonly Digest[]): readonly Digest[] {
    const list = this.layout.listOf(last);
    const older = untagged.filter((digest) => isLess(this.layout.listOf(digest), list));
    if (older.length > 0 || !REPLACED.has(this.name)) return [...older.toSorted(this.#byLength), last];
    // `attest --replace` drops entries: then everything older is older, whatever it lists
    return [...untagged.toSorted(this.#byLength), last];
  }

  readonly #byLength = (a: Digest, b: Digest): number => this.layout.listOf(a).length - this.layout.listOf(b).length;

  /** The tags that a command wrote, as `path tag`; `path referrers` for the referrers API. */
  #written(command: RecordedCommand): readonly string[] {
    const [verb] = command.args;
    const kind = writtenKind(command);
    if (kind === undefined) return [];
    if (kind === 'everything') return [this.#pathOf(command.args.at(-1) ?? '')].map((path) => `${path} *`);
    const path = this.#pathOf(command.env['COSIGN_REPOSITORY'] ?? command.args.at(-1) ?? '');
    const attached = verb === 'sign' && optionOf(command, '--attachment') === 'sbom';
    const subjects = attached
      ? this.#sbomsOf(command)
      : this.#subjects(command, verb === 'sign' && isRecursive(command));
    const prefix = optionOf(command, '--attachment-tag-prefix') ?? '';
    return subjects.map((subject) => {
      if (kind !== 'referrers') return `${path} ${attachedTag(subject, kind, prefix)}`;
      const tag = fallbackTag(subject);
      const overApi = !this.#repositories.some((repository) => repository.tags.has(tag));
      return `${path} ${overApi ? 'referrers' : tag}`;
    });
  }

  #subjects(command: RecordedCommand, recursive: boolean): readonly Digest[] {
    const image = command.args.at(-1) ?? '';
    const [, digest] = image.split('@');
    const tag = /:([^/:@]+)$/.exec(image)?.[1] ?? '';
    const subject = digest === undefined ? this.#repositories[0]?.tags.get(tag)?.at(-1) : parseDigest(digest);
    if (subject === undefined) return [];
    return recursive ? [subject, ...this.layout.listOf(subject)] : [subject];
  }

  #sbomsOf(command: RecordedCommand): readonly Digest[] {
    return this.#subjects(command, false).flatMap((subject) => {
      const sbom = this.#repositories[0]?.tags.get(attachedTag(subject, 'sbom'))?.at(-1);
      return sbom === undefined ? [] : [sbom];
    });
  }

  #pathOf(image: string): string {
    return image
      .replace(/^localhost:\d+\//, '')
      .replace(/@.*$/, '')
      .replace(/:[^/:]+$/, '');
  }
}

interface RecordedRepository {
  readonly path: string;
  readonly tags: ReadonlyMap<string, readonly Digest[]>;
  readonly referrers: readonly Digest[];
}

/** Here the last write dropped what an earlier one had put there. */
const REPLACED: ReadonlySet<string> = new Set(['attest-replace-2.5.0', 'attest-replace-3.1.1-legacy']);
/** Here the recorder put another manifest in the place of the one that cosign wrote, which then belongs to no moment. */
export const OVERWRITTEN: RegExp = /^tamper-/;

/** The layouts hold several repositories of a case one after the other. */
function splitEntries(
  name: string,
  entries: readonly LayoutEntry[],
): readonly (readonly [string, readonly LayoutEntry[]])[] {
  const main = `golden/${name}`;
  if (name === 'cosign-repository') {
    const beside = entries.filter(({ tag }) => tag !== 'single');
    return [
      [main, entries.filter(({ tag }) => tag === 'single')],
      [`${main}-sigs`, beside],
    ];
  }
  const parts: LayoutEntry[][] = [[]];
  for (const entry of entries) {
    if (entry.tag === 'v1') parts.push([]);
    parts.at(-1)?.push(entry);
  }
  const others = name === 'copy' ? [`${main}-dst2`, `${main}-dst3`] : [`${main}-dst`];
  return parts.map((part, at) => [at === 0 ? main : (others[at - 1] ?? main), part]);
}

function stateOf(repository: RecordedRepository, reached: ReadonlyMap<string, number> | undefined): RepositoryState {
  const { path } = repository;
  const whole = reached === undefined || reached.has(`${path} *`);
  const tags = new Map<string, Digest>();
  for (const [tag, history] of repository.tags) {
    // what was pushed before the recording began has no suffix
    const steps = whole || tag === 'single' || tag === 'multi' ? history.length : (reached.get(`${path} ${tag}`) ?? 0);
    // signing again with the same key wrote nothing
    const digest = history[Math.min(steps, history.length) - 1];
    if (digest !== undefined) tags.set(tag, digest);
  }
  const listed = whole ? repository.referrers.length : (reached.get(`${path} referrers`) ?? 0);
  return { path, tags, referrers: repository.referrers.slice(0, listed) };
}

function isLess(some: readonly Digest[], all: readonly Digest[]): boolean {
  return some.length > 0 && some.length < all.length && some.every((digest) => all.includes(digest));
}

/** Where a command writes: under which tag, or into the list of referrers; `everything` for a whole repository. */
export type WrittenKind = 'signature' | 'attestation' | 'sbom' | 'referrers' | 'everything';

/** What kind of thing a command writes to the registry; `undefined` for none. */
export function writtenKind(command: RecordedCommand): WrittenKind | undefined {
  const { args, program } = command;
  const [verb, object] = args;
  if (verb === 'copy' || verb === 'load') return 'everything';
  if (args.includes('oci-1-1')) return verb === 'tree' || verb === 'verify' ? undefined : 'referrers';
  const legacy = program === 'cosign-2.5.0' || args.includes('--new-bundle-format=false');
  if (verb === 'sign' && !args.includes('--upload=false')) return legacy ? 'signature' : 'referrers';
  if (verb === 'attest' && !args.includes('--no-upload')) return legacy ? 'attestation' : 'referrers';
  if (verb === 'attach' && object === 'sbom') return 'sbom';
  if (verb === 'attach' && object === 'signature') return args.includes('--bundle') ? 'referrers' : 'signature';
  if (verb === 'attach' && object === 'attestation')
    return args.some((arg) => arg.endsWith('.sigstore.json')) ? 'referrers' : 'attestation';
  return undefined;
}

function isRecursive(command: RecordedCommand): boolean {
  return command.args.includes('-r') || command.args.includes('--recursive');
}

/** The value of an option that was given as two words. */
function optionOf(command: RecordedCommand, option: string): string | undefined {
  const at = command.args.indexOf(option);
  return at === -1 ? undefined : command.args[at + 1];
}
