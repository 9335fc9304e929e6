// SPDX-License-Identifier: Apache-2.0
import { basename, resolve } from 'node:path';
import type { EvidencePlaceOf, ImageToSave, KitFile, SavedKit, SaveKitOptions } from '../../image/index.ts';
import { formatReference, parseLocation, parseReference, type Reference } from '../../oci/index.ts';
import type { EvidenceSource, PolicyDocuments } from '../../policy/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { checkTagPrefix } from '../flags/attachment.ts';
import { openFrom } from '../flags/decision.ts';
import { readPolicyFiles } from '../flags/policy-files.ts';
import { loadPolicyTrust, POLICY_TRUST_FLAGS } from '../flags/policy-trust.ts';
import { openEvidence, openRepository, REGISTRY_FLAGS } from '../flags/registry.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';
import { progressBar } from '../output/progress.ts';

const FLAGS = {
  dir: {
    kind: 'string',
    default: '',
    placeholder: 'DIR',
    help: 'folder of the kit; what was saved there before is replaced',
  },
  policy: {
    kind: 'strings',
    split: false,
    placeholder: 'FILE',
    help: 'policies that go into the kit, with what they refer to; may be given several times',
  },
  platform: {
    kind: 'string',
    default: '',
    placeholder: 'OS/ARCH[/VARIANT]',
    help: 'of an index only the layers of this platform; evidence is saved for all of them',
  },
  as: {
    kind: 'string',
    default: '',
    placeholder: 'NAME',
    help: 'what policies call the image, for one in an OCI layout',
  },
  'attachment-tag-prefix': {
    kind: 'string',
    default: '',
    placeholder: 'PREFIX',
    help: 'prefix of the tags beside the images',
  },
  ...POLICY_TRUST_FLAGS,
  ...REGISTRY_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** `bulla save`: images and all that is needed to judge them, in a folder. */
export const command: Command = defineCommand({
  name: 'save',
  summary: 'Save images with their evidence, and whom to trust, into a folder',
  description:
    'Writes a kit: an OCI layout with the images, all signatures, attestations and SBOMs that lie beside them and beside what an index lists, and, where they are named, policies and a trusted root. ' +
    'Commands that take --kit decide by it without a network; load brings it into another registry; cosign loads a kit of one image. ' +
    'Nothing is verified. A folder that holds an OCI layout of somebody else is not written over; what was begun and not finished is.',
  usage: '[flags] --dir DIR IMAGE...',
  arguments: { min: 1, name: 'image' },
  flags: FLAGS,
  examples: [
    'bulla save --dir kit registry.example.com/platform/demo-api:1.4',
    'bulla save --dir kit --policy policies.yaml registry.example.com/platform/demo-api:1.4 registry.example.com/platform/web:2.0',
    'bulla save --dir kit --platform linux/arm64 registry.example.com/platform/demo-api:1.4',
  ],
  async run(context, names, flags) {
    if (flags.dir === '') throw new CliError('usage', 'required flag(s) "dir" not set');
    if (flags.as !== '' && names.length > 1) throw new CliError('usage', '--as names one image, and there are several');
    checkTagPrefix(flags);
    const read = await readFiles(context, flags);
    const { files } = read;
    const images: ImageToSave[] = [];
    for (const name of names) images.push(await imageToSave(context, name, flags, read));
    const { saveKit } = await import('../../image/index.ts');
    const bar = progressBar(context, `saving into ${flags.dir}`);
    let saved: SavedKit;
    try {
      saved = await saveKit(resolve(context.cwd, flags.dir), images, {
        ...files,
        ...(flags.platform === '' ? {} : { platform: flags.platform }),
        tagPrefix: flags['attachment-tag-prefix'],
        progress: (done, total) => {
          context.signal.throwIfAborted();
          bar.update(done, total);
        },
      });
    } finally {
      bar.end();
    }
    for (const fault of saved.faults) context.warn(`${printable(fault)}: it is not in the kit`);
    report(context, flags.dir, saved, files);
    return EXIT.ok;
  },
});

function report(context: CommandContext, dir: string, { images }: SavedKit, files: SaveKitOptions): void {
  if (!context.json) {
    for (const { name, tag, digest } of images)
      context.stdout(`${name}${tag === undefined ? '' : `:${tag}`}@${digest}\n`);
    return;
  }
  writeJson(context, {
    dir,
    images: images.map(({ name, tag = null, digest, platform = null, evidence }) => {
      return { name, tag, digest, platform, evidence };
    }),
    policies: (files.policies ?? []).map(({ name }) => name),
    trustedRoot: files.trustedRoot !== undefined,
    trustRoots: (files.trustRoots ?? []).map(({ name }) => name),
    warnings: context.warnings,
  });
}

interface Files {
  readonly documents: PolicyDocuments | undefined;
  readonly files: Pick<SaveKitOptions, 'policies' | 'trustedRoot' | 'trustRoots'>;
}

/** The files for the kit, checked here: nobody finds out where there is no network that one is wrong. */
async function readFiles(context: CommandContext, flags: Flags): Promise<Files> {
  if (flags.policy.length === 0 && flags['trusted-root'] === '' && flags['trust-root'].length === 0)
    return { documents: undefined, files: {} };
  const { decodePolicyDocuments, formatFault, preparePolicies, YAML_LIMITS } = await import('../../policy/index.ts');
  const { encodeTrustedRoot } = await import('../../trust/index.ts');
  const policies = await readPolicyFiles(context, flags.policy, YAML_LIMITS.maxBytes);
  const documents = await decodePolicyDocuments(policies);
  const { roots: given, fallback } = await loadPolicyTrust(context, flags, documents);
  const { closedSurroundings, policySurroundings } = await import('../flags/policy-surroundings.ts');
  const roots = new Map(given);
  const { resolveTrustRoot } = policySurroundings(context);
  for (const { name, root } of documents.trustRoots) {
    const found = root.kind === 'remote' && !roots.has(name) ? await resolveTrustRoot(root) : 'later';
    if (found !== 'later') roots.set(name, found);
  }
  // as whoever decides by the kit has it: nobody is asked then
  const there = { ...closedSurroundings(context), roots, ...(fallback === undefined ? {} : { fallback }) };
  for (const fault of (await preparePolicies(documents, there)).faults) {
    if (fault.severity === 'error') throw new CliError('usage', formatFault(fault));
    context.warn(formatFault(fault));
  }
  return {
    documents,
    files: {
      policies: policies.map(named),
      trustRoots: [...roots].map(([name, root]) => ({ name, bytes: encodeTrustedRoot(root) })),
      ...(typeof fallback === 'object' ? { trustedRoot: encodeTrustedRoot(fallback) } : {}),
    },
  };
}

/** Two files of one name keep apart by their order. */
function named({ name, bytes }: KitFile, at: number): KitFile {
  return { name: `${at + 1}-${basename(name)}`, bytes };
}

async function imageToSave(
  context: CommandContext,
  text: string,
  flags: Flags,
  { documents, files }: Files,
): Promise<ImageToSave> {
  const location = parseLocation(text);
  if (location.kind === 'layout' && flags.as === '') {
    const hint = 'say what it is called: --as NAME';
    throw new CliError('usage', `${text} has no name that policies know`, { hint });
  }
  const asked = location.kind === 'registry' && flags.as === '' ? location.reference : parseReference(flags.as);
  const { fetchedFrom, imageName, mirrorOf, mirrorsOf } = await import('../../policy/index.ts');
  const mirrors = mirrorsOf(documents?.settings ?? []);
  // A decision asks for an image where it is fetched from: by that name it must be in the kit.
  const name = fetchedFrom(mirrors, imageName(formatReference(asked)));
  const { tag } = asked;
  const place =
    location.kind === 'registry' && flags.as === '' ? formatReference({ ...asked, ...parseReference(name) }) : text;
  const { repository, target } = await openRepository(context, place, flags, { actions: 'pull' });
  const evidence: EvidencePlaceOf[] = [];
  const elsewhere = await openEvidence(context, flags, 'pull');
  if (elsewhere !== undefined) evidence.push({ repository: elsewhere });
  const open = openFrom(context, flags, files.policies);
  for (const { repository: source, tagPrefix, pullSecrets } of await sourcesOf(asked, documents)) {
    const found = source === undefined ? repository : await open(mirrorOf(mirrors, source), { pullSecrets });
    evidence.push({ repository: found, ...(tagPrefix === undefined ? {} : { tagPrefix }) });
  }
  return { repository, target, name, ...(tag === undefined ? {} : { tag }), evidence };
}

/** Where the policies that are about an image look for evidence, besides its own repository. */
async function sourcesOf(
  reference: Reference,
  documents: PolicyDocuments | undefined,
): Promise<readonly Omit<EvidenceSource, 'place'>[]> {
  if (documents === undefined) return [];
  const { imageName, matchesGlob, mirrorsOf, namesOf } = await import('../../policy/index.ts');
  const names = namesOf(mirrorsOf(documents.settings), imageName(formatReference(reference)));
  const sources = documents.policies
    .filter(({ images }) => images.some((glob) => names.some((name) => matchesGlob(glob, name))))
    .flatMap(({ authorities }) => authorities)
    .flatMap((authority) => (authority.kind === 'static' || authority.source === undefined ? [] : [authority.source]));
  const key = ({ repository, tagPrefix, pullSecrets }: Omit<EvidenceSource, 'place'>): string =>
    JSON.stringify([repository, tagPrefix, pullSecrets]);
  return [...new Map(sources.map((source) => [key(source), source])).values()];
}
