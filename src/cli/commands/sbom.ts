// SPDX-License-Identifier: Apache-2.0
import { parseLocation, repositoryName } from '../../oci/index.ts';
import type { DocumentOptions, ImageContents } from '../../sbom/index.ts';
import type { Json } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { ATTEST_IMAGES_FLAGS, type AttestImagesFlags } from '../flags/attest-images.ts';
import { openRepository, REGISTRY_FLAGS } from '../flags/registry.ts';
import { sourceDateEpoch } from '../flags/source-date-epoch.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';
import { BULLA_VERSION } from '../version.ts';

/** findings that are warned of one by one; the documents have them all */
const SHOWN_FINDINGS = 20;

/** Each platform has a document of its own. */
const { recursive: _, ...ATTESTING } = ATTEST_IMAGES_FLAGS;
/** The others reach the registry, which reading does too. */
const SEALING_FLAGS = new Set(Object.keys(ATTESTING)).difference(new Set(Object.keys(REGISTRY_FLAGS)));

/** `bulla sbom`: what is inside an image. */
export const command: Command = defineCommand({
  name: 'sbom',
  summary: 'List what is inside an image: SPDX, CycloneDX or a table',
  description:
    'Reads the layers of the image and lists the packages that their databases and manifests tell of. No container engine is needed, and nothing is unpacked to the disk. ' +
    'Of an index each platform is listed: a table each, or a document a line.\n' +
    'The same image gives the same document, byte for byte: its time is that of the image, or SOURCE_DATE_EPOCH. What could not be read is warned of and stands in the document.\n' +
    'With --attest the document (SPDX unless told) is signed and laid beside the image instead of being written: of an index, that of each platform beside the image of that platform. Key or identity as with sign; sbom get fetches it, verified.',
  usage: '[flags] IMAGE',
  // not an argument, but a command beneath this one
  arguments: { min: 1, max: 1, name: 'image', words: ['attach', 'diff', 'get'] },
  flags: {
    output: {
      kind: 'string',
      short: 'o',
      default: 'table',
      choices: ['spdx-json', 'cyclonedx-json', 'table'],
      placeholder: 'FORMAT',
      help: 'what is written',
    },
    platform: {
      kind: 'string',
      default: '',
      placeholder: 'OS/ARCH[/VARIANT]',
      help: 'of an index only this platform; all of them unless told',
    },
    attest: { kind: 'boolean', help: 'sign the document and lay it beside the image; the flags below are about that' },
    ...ATTESTING,
  },
  examples: [
    'bulla sbom registry.example.com/platform/demo-api:1.4',
    'bulla sbom --output spdx-json --platform linux/amd64 registry.example.com/platform/demo-api:1.4',
    'bulla sbom --output cyclonedx-json oci-layout:./build:1.4',
    'bulla sbom --attest --key cosign.key registry.example.com/platform/demo-api@sha256:…',
  ],
  async run(context, [image = ''], flags, given) {
    const sealing = [...given].find((flag) => SEALING_FLAGS.has(flag));
    if (!flags.attest && sealing !== undefined)
      throw new CliError('usage', `--${sealing} is about signing: say --attest, or leave it out`);
    if (flags.attest && given.has('output') && flags.output === 'table')
      throw new CliError('usage', '--attest signs a document: --output spdx-json or cyclonedx-json');
    const epoch = sourceDateEpoch(context);
    const { repository, target } = await openRepository(context, image, flags, { actions: 'pull' });
    const { readImage } = await import('../../sbom/index.ts');
    const found: ImageContents[] = [];
    const options = { signal: context.signal, ...(flags.platform === '' ? {} : { platform: flags.platform }) };
    for await (const contents of readImage(repository, target, options)) {
      found.push(contents);
      warnOf(context, contents);
    }
    const documented = { version: BULLA_VERSION, ...(epoch === undefined ? {} : { sourceDateEpoch: epoch }) };
    if (flags.attest) return attest(context, image, found, { flags, given, documented });
    // a document was asked for by name: it is JSON already
    if (context.json && !(given.has('output') && flags.output !== 'table')) writeSummary(context, image, found);
    else await write(context, flags.output, found, documented);
    return EXIT.ok;
  },
});

/** The document of each platform, attested of the image of that platform. */
async function attest(
  context: CommandContext,
  image: string,
  found: readonly ImageContents[],
  {
    flags,
    given,
    documented,
  }: {
    readonly flags: Omit<AttestImagesFlags, 'recursive'> & { readonly output: string };
    readonly given: ReadonlySet<string>;
    readonly documented: DocumentOptions;
  },
): Promise<number> {
  const { cycloneDxDocument, spdxDocument } = await import('../../sbom/index.ts');
  const { PREDICATE_TYPES } = await import('../../trust/index.ts');
  const { attestImages } = await import('../attestation/attest-images.ts');
  const [document, predicateType] =
    flags.output === 'cyclonedx-json'
      ? [cycloneDxDocument, PREDICATE_TYPES.cyclonedx]
      : [spdxDocument, PREDICATE_TYPES.spdxjson];
  const contents = found.map((one) => {
    // what JSON leaves out is not signed
    const predicate = JSON.parse(JSON.stringify(document(one, documented))) as Json;
    return { kind: 'predicate', predicateType, predicate } as const;
  });
  const images = found.map(({ digest }) => atDigest(image, digest));
  return attestImages(context, images, { ...flags, recursive: false }, given, {
    load: () => Promise.resolve(contents),
    stdinTaken: false,
  });
}

function atDigest(image: string, digest: string): string {
  const location = parseLocation(image);
  return location.kind === 'layout'
    ? `oci-layout:${location.path}@${digest}`
    : `${repositoryName(location.reference)}@${digest}`;
}

async function write(
  context: CommandContext,
  output: string,
  found: readonly ImageContents[],
  options: DocumentOptions,
): Promise<void> {
  const { cycloneDxDocument, platformName, spdxDocument } = await import('../../sbom/index.ts');
  if (output === 'table') {
    const { sbomTable } = await import('../output/sbom-table.ts');
    context.stdout(found.map((contents) => sbomTable(contents, platformName(contents.platform))).join('\n'));
    return;
  }
  const document = output === 'spdx-json' ? spdxDocument : cycloneDxDocument;
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) writeJson(context, document(only, options));
  else for (const contents of found) context.stdout(`${JSON.stringify(document(contents, options))}\n`);
}

function writeSummary(context: CommandContext, image: string, found: readonly ImageContents[]): void {
  const images = found.map(({ repository, digest, platform, created, system, layers, packages, findings }) => ({
    repository,
    digest,
    platform,
    created: created?.toISOString() ?? null,
    system: system ?? null,
    layers,
    packages,
    findings,
  }));
  writeJson(context, { image, images, warnings: context.warnings });
}

function warnOf(context: CommandContext, { digest, findings }: ImageContents): void {
  for (const { path, message, code } of findings.slice(0, SHOWN_FINDINGS)) {
    context.warn(printable(`${path} was not read, so that packages may be missing: ${message} (${code})`));
  }
  const others = findings.length - SHOWN_FINDINGS;
  if (others > 0) context.warn(`${others} more files of ${digest} were not read: the document lists them`);
}
