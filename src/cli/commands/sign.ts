// SPDX-License-Identifier: Apache-2.0
import type { SignedImage, SignImageOptions } from '../../image/index.ts';
import { CodedError } from '../../wire/index.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT, exitCodeOf } from '../exit-code.ts';
import { parseAnnotations } from '../flags/annotations.ts';
import { COSIGN_SIGN_FLAGS } from '../flags/cosign-sign.ts';
import { KEY_FLAG } from '../flags/key.ts';
import { openEvidence, openRepository, REGISTRY_FLAGS, type OpenedRepository } from '../flags/registry.ts';
import { attachmentTarget, checkTagPrefix } from '../flags/attachment.ts';
import { formatsOf, SEAL_FORMAT_FLAGS, signingTime, wantsDockerMediaTypes, warnOfTag } from '../flags/seal-format.ts';
import { planSigning, type SigningPlan } from '../flags/signing-plan.ts';
import { SIGNING_FLAGS } from '../flags/signing.ts';
import { printError, reportError } from '../output/error-line.ts';
import { evidenceOfSeals, logOf, sealerDocument, witnessText, type MadeEvidence } from '../output/made-evidence.ts';
import { laidText, madeSealDocument, raceText } from '../output/made-seals.ts';
import { writeJson } from '../output/json-document.ts';
import { checkSealFiles, writeSealFiles } from '../output/seal-files.ts';
import { exitCodeOfAll } from '../output/verdict-exit-code.ts';

const FLAGS = {
  ...KEY_FLAG,
  ...SEAL_FORMAT_FLAGS,
  format: {
    ...SEAL_FORMAT_FLAGS.format,
    help: 'bundle (what cosign 3 reads first), legacy (.sig tag, what cosign 2 reads) or both; bundle unless told',
  },
  annotations: {
    kind: 'strings',
    split: true,
    short: 'a',
    placeholder: 'KEY=VALUE',
    help: 'seal this pair along; may be given several times',
  },
  recursive: { kind: 'boolean', short: 'r', help: 'seal the images of an index as well' },
  upload: { kind: 'boolean', default: true, help: 'false makes the seal and lays it nowhere; see --bundle' },
  bundle: { kind: 'string', placeholder: 'FILE', help: 'write the bundle to FILE too' },
  'require-digest': { kind: 'boolean', help: 'refuse an image that is named by a tag' },
  'sign-container-identity': {
    kind: 'strings',
    split: true,
    placeholder: 'NAME',
    help: 'what a legacy seal calls the image; one seal for each name',
  },
  'record-creation-timestamp': { kind: 'boolean', help: 'keep the time in the config of a legacy seal' },
  'attachment-tag-prefix': {
    kind: 'string',
    default: '',
    placeholder: 'PREFIX',
    help: "prefix of a legacy seal's tag",
  },
  attachment: {
    kind: 'string',
    choices: ['', 'sbom'],
    default: '',
    help: 'seal what cosign attached to the image under a tag',
    hidden: true,
    deprecated: 'SBOMs belong into attestations',
  },
  'output-signature': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'write the signature in base64 to FILE',
    hidden: true,
  },
  'output-payload': { kind: 'string', placeholder: 'FILE', help: 'write the signed payload to FILE', hidden: true },
  'output-certificate': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'write the certificate as PEM to FILE',
    hidden: true,
  },
  ...SIGNING_FLAGS,
  ...COSIGN_SIGN_FLAGS,
  ...REGISTRY_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** One image of the command, with what was made for it, or why nothing was. */
type Outcome = { readonly image: string; readonly opened: OpenedRepository } & (
  | { readonly signed: SignedImage; readonly evidence: readonly MadeEvidence[] }
  | { readonly error: CodedError }
);

/** `bulla sign`: seals images with a key, or with the identity of a person or pipeline. */
export const command: Command = defineCommand({
  name: 'sign',
  summary: 'Seal images',
  description:
    'Resolves each image once, seals that digest, checks the seal, lays it beside the image in the registry, reads it back, and prints what was sealed as name@digest. ' +
    'With --key a key seals, and no network is used but the registry. Without, an identity does: its token comes from --identity-token, the surroundings of a pipeline or a login, a certificate authority certifies a key that is thrown away at the end, and a log and a timestamp authority say when.',
  usage: '[flags] [--key KEY] IMAGE...',
  arguments: { min: 1, name: 'image' },
  flags: FLAGS,
  examples: [
    'bulla sign --key cosign.key registry.example.com/platform/demo-api@sha256:…',
    'bulla sign --key env://SEAL_KEY --format both -a commit=$GIT_COMMIT registry.example.com/platform/demo-api:1.4',
    'bulla sign --yes --signing-config signing_config.json --trusted-root trusted_root.json registry.example.com/platform/demo-api@sha256:…',
  ],
  async run(context, images, flags, given) {
    const formats = formatsOf(flags, given);
    checkTagPrefix(flags);
    checkSealFiles(context, flags, { images: images.length, formats });
    const annotations = parseAnnotations(flags.annotations);
    const opened = await Promise.all(images.map((image) => openRepository(context, image, flags, { actions: 'push' })));
    for (const [at, { byDigest }] of opened.entries())
      if (!byDigest) warnOfTag(context, images[at] ?? '', flags['require-digest']);
    const plan = await planSigning(context, flags, {
      logVersions: formats.includes('legacy') ? [1] : [1, 2],
      timestampCertificates: formats.includes('legacy'),
      given,
      stdinTaken: false,
    });
    const evidence = await openEvidence(context, flags, 'push');
    const options: SignImageOptions = {
      signer: plan.signer,
      witnesses: plan.witnesses,
      ...(plan.expectation === undefined ? {} : { expectation: plan.expectation }),
      formats,
      now: signingTime(context),
      annotations,
      recursive: flags.recursive,
      upload: flags.upload,
      recordCreated: flags['record-creation-timestamp'],
      dockerReferences: flags['sign-container-identity'].filter((name) => name !== ''),
      tagPrefix: flags['attachment-tag-prefix'],
      dockerMediaTypes: wantsDockerMediaTypes(context),
      ...(evidence === undefined ? {} : { evidence }),
    };
    const outcomes: Outcome[] = [];
    for (const [at, image] of images.entries()) {
      const one = opened[at];
      if (one === undefined) continue;
      const outcome = await sealOne(context, image, one, flags, options, plan);
      if ('error' in outcome) {
        // of a single image its failure is the command's; and once the command was ended, the others would only fail too
        if (images.length === 1 || context.signal.aborted) throw outcome.error;
        if (!context.json) printError(context, outcome.error);
      } else if (!context.json) report(context, one, outcome, plan);
      outcomes.push(outcome);
    }
    const exitCode = exitCodeOfAll(outcomes.map((one) => ('error' in one ? exitCodeOf(one.error) : EXIT.ok)));
    if (context.json) writeJson(context, signDocument(outcomes, exitCode, context.warnings, plan));
    return exitCode;
  },
});

async function sealOne(
  context: CommandContext,
  image: string,
  opened: OpenedRepository,
  flags: Flags,
  options: SignImageOptions,
  plan: SigningPlan,
): Promise<Outcome> {
  const { signImage } = await import('../../image/index.ts');
  try {
    const target = await attachmentTarget(opened, flags.attachment, flags['attachment-tag-prefix']);
    if (flags.upload) context.stderr(`Pushing signature to: ${(options.evidence ?? opened.repository).name}\n`);
    const signed = await signImage(opened.repository, target, options);
    await writeSealFiles(context, flags, signed, plan.certificate);
    return { image, opened, signed, evidence: await evidenceOfSeals(signed.seals) };
  } catch (error) {
    if (error instanceof CodedError) return { image, opened, error };
    throw error;
  }
}

function report(
  context: CommandContext,
  opened: OpenedRepository,
  { signed, evidence }: Extract<Outcome, { readonly signed: SignedImage }>,
  { identity }: SigningPlan,
): void {
  for (const seal of signed.seals) {
    const again =
      seal.format === 'legacy' && seal.existed ? ' (it was sealed with this key before; nothing was written)' : '';
    context.stderr(`Sealed ${seal.digest} as ${seal.format}: ${laidText(seal)}${again}\n`);
    context.stderr(raceText(seal, { does: 'seals', thing: 'seal' }));
  }
  context.stderr(witnessText(evidence, identity));
  context.stdout(`${opened.repository.name}@${signed.digest}\n`);
}

function signDocument(
  outcomes: readonly Outcome[],
  exitCode: number,
  warnings: readonly string[],
  { signer, identity }: SigningPlan,
): object {
  return {
    exitCode,
    signer: sealerDocument(signer, identity),
    images: outcomes.map(imageDocument),
    warnings,
  };
}

function imageDocument(outcome: Outcome): object {
  const { image, opened } = outcome;
  const repository = opened.repository.name;
  if ('error' in outcome) return { image, repository, error: reportError(outcome.error) };
  return {
    image,
    repository,
    digest: outcome.signed.digest,
    log: logOf(outcome.evidence),
    seals: outcome.signed.seals.map((made, at) => madeSealDocument(made, outcome.evidence[at])),
  };
}
