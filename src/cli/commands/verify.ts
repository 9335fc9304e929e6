// SPDX-License-Identifier: Apache-2.0
import type { Expectation, SealFormat, Verdict } from '../../image/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT, exitCodeOf } from '../exit-code.ts';
import { parseAnnotations } from '../flags/annotations.ts';
import { attachmentTarget, checkTagPrefix } from '../flags/attachment.ts';
import { COSIGN_VERIFY_FLAGS } from '../flags/cosign-verify.ts';
import { loadExpectedSigners } from '../flags/expected-signers.ts';
import { IDENTITY_FLAGS } from '../flags/identity.ts';
import { KEY_FLAG } from '../flags/key.ts';
import { PKI_FLAGS } from '../flags/pki.ts';
import { openEvidence, openRepository, REGISTRY_FLAGS, type OpenedRepository } from '../flags/registry.ts';
import { TRUST_FLAGS, type TrustOptions } from '../flags/trust.ts';
import { writeJson } from '../output/json-document.ts';
import { exitCodeOfVerdicts, rejectionCodes, type ImageVerdict } from '../output/verdict-exit-code.ts';
import { cosignElements, cosignHeader, cosignSigners, cosignText } from '../output/verdict-cosign.ts';
import { verdictDocument } from '../output/verdict-json.ts';
import { mayBeOutdated, type TrustSource } from '../output/trust-origin.ts';
import { explainVerdict } from '../output/verdict-text.ts';

const FLAGS = {
  ...KEY_FLAG,
  annotations: {
    kind: 'strings',
    split: true,
    short: 'a',
    placeholder: 'KEY=VALUE',
    help: 'the seal must carry this pair; may be given several times',
  },
  'check-claims': {
    kind: 'boolean',
    default: true,
    help: 'compare what the seal says (digest, annotations) with the image',
  },
  output: {
    kind: 'string',
    short: 'o',
    default: 'json',
    placeholder: 'json|text',
    help: "what goes to stdout, in cosign's shape; see --json for Bulla's own",
  },
  all: { kind: 'boolean', help: 'read every place to its end, also when the expectation is met' },
  'require-digest': { kind: 'boolean', help: 'refuse an image that is named by a tag' },
  'max-workers': { kind: 'integer', default: 10, min: 1, help: 'how many seals are fetched at a time' },
  'attachment-tag-prefix': {
    kind: 'string',
    default: '',
    placeholder: 'PREFIX',
    help: "prefix of the tags beside the image, as cosign 2's",
  },
  'local-image': { kind: 'boolean', help: 'IMAGE is the folder of an OCI layout; no socket is opened' },
  ...IDENTITY_FLAGS,
  ...PKI_FLAGS,
  ...TRUST_FLAGS,
  ...COSIGN_VERIFY_FLAGS,
  ...REGISTRY_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** `bulla verify`: who sealed this digest? */
export const command: Command = defineCommand({
  name: 'verify',
  summary: 'Verify who sealed images',
  description:
    'Finds every signature of an image, in both formats and wherever they lie, and exits 0 if one of them meets the expectation. ' +
    'Exit codes: 0 trusted, 2 could not find out, 10 no seal found, 11 no such image, 12 seals found and none accepted, 13 only key seals where an identity was asked.',
  usage: '[flags] --key KEY IMAGE...',
  arguments: { min: 1, name: 'image' },
  flags: FLAGS,
  examples: [
    'bulla verify --key cosign.pub registry.example.com/platform/demo-api@sha256:…',
    'bulla verify --key old.pub --key new.pub registry.example.com/platform/demo-api:1.4',
    'bulla verify --key cosign.pub --json registry.example.com/platform/demo-api:1.4',
    'bulla verify --key cosign.pub oci-layout:./saved',
    'bulla verify --certificate-identity dev@example.com --certificate-oidc-issuer https://idp.example.com --trusted-root root.json IMAGE',
  ],
  async run(context, images, flags) {
    // All names are read before the first is asked for: a misspelt one must not leave the others half done.
    const opened = await Promise.all(
      images.map((image) => openRepository(context, image, flags, { actions: 'pull', layout: flags['local-image'] })),
    );
    checkTagPrefix(flags);
    if (flags['require-digest']) requireDigests(images, opened);
    let { expectation, origin } = await expectationOf(context, flags);
    if (origin !== undefined && !context.json) context.stderr(`trust: ${origin.text}\n`);
    const verdicts: ImageVerdict[] = [];
    for (const [at, image] of images.entries()) {
      let verdict = await verifyOne(context, image, opened[at], expectation, flags);
      if (mayBeOutdated(origin, rejectionCodes(verdict.verdict))) {
        ({ expectation, origin } = await expectationOf(context, flags, { fresh: true }));
        verdict = await verifyOne(context, image, opened[at], expectation, flags);
      }
      if (verdict.verdict.kind === 'undecided') throwIfEnded(context.signal);
      verdicts.push(verdict);
      if (!context.json) report(context, verdict, expectation, flags);
    }
    if (context.json) writeJson(context, verdictDocument(verdicts, context.warnings, expectation, origin));
    return exitCodeOfVerdicts(verdicts);
  },
});

function requireDigests(images: readonly string[], opened: readonly OpenedRepository[]): void {
  const tagged = images.find((_, at) => opened[at]?.byDigest !== true);
  if (tagged === undefined) return;
  throw new CliError('usage', `${tagged} is named by a tag, and --require-digest asks for name@sha256:…`);
}

/** What a signal interrupted is no answer; that the time was up is one. */
function throwIfEnded(signal: AbortSignal): void {
  if (signal.aborted && exitCodeOf(signal.reason) !== EXIT.undecided) signal.throwIfAborted();
}

interface Asked {
  readonly expectation: Expectation;
  /** where the trusted root came from, where nobody named it */
  readonly origin?: TrustSource;
}

async function expectationOf(context: CommandContext, flags: Flags, options: TrustOptions = {}): Promise<Asked> {
  const annotations = parseAnnotations(flags.annotations);
  const rest = { annotations, checkClaims: flags['check-claims'] };
  if (!flags['check-claims']) {
    context.warn('--check-claims=false: annotations are not checked, and a legacy seal of another image passes');
  }
  const { signers, ...whence } = await loadExpectedSigners(context, flags, 'verify', options);
  return { expectation: { signers, ...rest }, ...whence };
}

async function verifyOne(
  context: CommandContext,
  image: string,
  opened: OpenedRepository | undefined,
  expectation: Expectation,
  flags: Flags,
): Promise<ImageVerdict> {
  if (opened === undefined) throw new CliError('usage', `${image} could not be opened`);
  const { verifyImage } = await import('../../image/index.ts');
  const evidence = await openEvidence(context, flags, 'pull');
  const formats: readonly SealFormat[] | undefined = flags['new-bundle-format'] ? undefined : ['legacy'];
  const target = await attachmentTarget(opened, flags.attachment, flags['attachment-tag-prefix']);
  const verdict: Verdict = await verifyImage(opened.repository, target, expectation, {
    ...(evidence === undefined ? {} : { evidence }),
    ...(formats === undefined ? {} : { formats }),
    all: flags.all,
    tagPrefix: flags['attachment-tag-prefix'],
    maxWorkers: flags['max-workers'],
  });
  return { image, repository: opened.repository.name, verdict };
}

function report(context: CommandContext, verdict: ImageVerdict, expectation: Expectation, flags: Flags): void {
  if (verdict.verdict.kind === 'trusted') {
    context.stderr(cosignHeader(verdict, expectation));
    if (flags.output === 'text') context.stderr(cosignSigners(verdict));
    context.stdout(flags.output === 'text' ? cosignText(verdict) : cosignElements(verdict));
  } else {
    context.stderr(explainVerdict(context, verdict));
  }
}
