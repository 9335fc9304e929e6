// SPDX-License-Identifier: Apache-2.0
import type { Attestation, AttestationExpectation } from '../../image/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT, exitCodeOf } from '../exit-code.ts';
import { checkTagPrefix } from '../flags/attachment.ts';
import { maxAttachmentSize } from '../flags/attachment-size.ts';
import { PREDICATE_TYPE_FLAG, STRICT_PREDICATE_FLAG } from '../flags/attestation.ts';
import { demandedPredicateType } from '../flags/attested-content.ts';
import { COSIGN_VERIFY_FLAGS } from '../flags/cosign-verify.ts';
import { loadExpectedSigners } from '../flags/expected-signers.ts';
import { IDENTITY_FLAGS } from '../flags/identity.ts';
import { KEY_FLAG } from '../flags/key.ts';
import { PKI_FLAGS } from '../flags/pki.ts';
import { askedPolicies, PREDICATE_POLICY_FLAG, type AskedPolicies } from '../flags/predicate-policies.ts';
import { openEvidence, openRepository, REGISTRY_FLAGS, type OpenedRepository } from '../flags/registry.ts';
import { TRUST_FLAGS, type TrustOptions } from '../flags/trust.ts';
import { attestationDocument, explainAttestations } from '../output/attestation-verdict.ts';
import { envelopeLine } from '../output/envelope-line.ts';
import { warnOfFaults } from '../output/predicate-faults.ts';
import { writeJson } from '../output/json-document.ts';
import { cosignHeader } from '../output/verdict-cosign.ts';
import { mayBeOutdated, type TrustSource } from '../output/trust-origin.ts';
import { exitCodeOfVerdicts, rejectionCodes, type ImageVerdict } from '../output/verdict-exit-code.ts';
import { verdictDocument } from '../output/verdict-json.ts';

const {
  offline,
  'experimental-oci11': oci11,
  'new-bundle-format': newFormat,
  'signature-digest-algorithm': digestAlgorithm,
  certificate,
  sct,
  sk,
  slot,
} = COSIGN_VERIFY_FLAGS;

const FLAGS = {
  ...KEY_FLAG,
  ...PREDICATE_TYPE_FLAG,
  ...STRICT_PREDICATE_FLAG,
  ...PREDICATE_POLICY_FLAG,
  'check-claims': {
    kind: 'boolean',
    default: true,
    help: 'compare what the attestation is about with the image',
  },
  output: {
    kind: 'string',
    short: 'o',
    default: 'json',
    placeholder: 'json|text',
    help: "changes nothing: stdout is one envelope a line; see --json for Bulla's own",
  },
  all: { kind: 'boolean', help: 'read every place to its end, and print every attestation that is accepted' },
  'require-digest': { kind: 'boolean', help: 'refuse an image that is named by a tag' },
  'max-workers': {
    kind: 'integer',
    default: 10,
    min: 1,
    help: 'how many are fetched at a time, at most; never more than 4',
  },
  'attachment-tag-prefix': { kind: 'string', default: '', placeholder: 'PREFIX', help: 'prefix of the .att tag' },
  'local-image': { kind: 'boolean', help: 'IMAGE is the folder of an OCI layout; no socket is opened' },
  ...IDENTITY_FLAGS,
  ...PKI_FLAGS,
  ...TRUST_FLAGS,
  'insecure-ignore-tlog': {
    ...TRUST_FLAGS['insecure-ignore-tlog'],
    weakens:
      'Skipping tlog verification is an insecure practice that lacks transparency and auditability verification for the attestation.',
  },
  offline,
  'experimental-oci11': oci11,
  'new-bundle-format': {
    ...newFormat,
    help: 'false reads only .att tags',
    deprecated: 'both formats are read; --new-bundle-format=false reads .att tags only',
  },
  'signature-digest-algorithm': digestAlgorithm,
  certificate,
  sct,
  sk,
  slot,
  ...REGISTRY_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** `bulla verify-attestation`: who attested this of the image? */
export const command: Command = defineCommand({
  name: 'verify-attestation',
  summary: 'Verify what was attested of images, and by whom',
  description:
    'Finds the attestations of an image, in both formats and wherever they lie, exits 0 if one of the kind meets the expectation, and prints its envelope. ' +
    'Exit codes are those of verify: 0 trusted, 2 could not find out, 10 nothing attested, 11 no such image, 12 attested and not accepted or of another type, 13 by keys only where an identity was asked.',
  usage: '[flags] --key KEY [--type TYPE] IMAGE...',
  arguments: { min: 1, name: 'image' },
  flags: FLAGS,
  examples: [
    'bulla verify-attestation --key cosign.pub --type spdxjson IMAGE | jq -r .payload | base64 -d | jq .predicate',
    'bulla verify-attestation --key cosign.pub --type slsaprovenance1 --strict-predicate registry.example.com/platform/demo-api@sha256:…',
    'bulla verify-attestation --identities who.yaml --trusted-root root.json --type vuln --policy scan.rego IMAGE',
  ],
  async run(context, images, flags) {
    const predicateType = demandedPredicateType(flags);
    const opened = await Promise.all(
      images.map((image) => openRepository(context, image, flags, { actions: 'pull', layout: flags['local-image'] })),
    );
    checkTagPrefix(flags);
    if (flags['require-digest']) requireDigests(images, opened);
    if (!flags['check-claims'])
      context.warn('--check-claims=false: an attestation in an .att tag passes that is about another image');
    const policies = await askedPolicies(context, flags);
    try {
      return await verifyAll(context, { images, opened, policies, predicateType }, flags);
    } finally {
      await policies.end();
    }
  },
});

/** What is asked, of which images. */
interface Asked {
  /** as they were typed */
  readonly images: readonly string[];
  readonly opened: readonly OpenedRepository[];
  readonly policies: AskedPolicies;
  readonly predicateType: string;
}

async function verifyAll(context: CommandContext, asked: Asked, flags: Flags): Promise<number> {
  const { images, opened, policies, predicateType } = asked;
  let { expectation, origin } = await expectationOf(context, flags, predicateType);
  if (origin !== undefined && !context.json) context.stderr(`trust: ${origin.text}\n`);
  const verdicts: ImageVerdict<Attestation>[] = [];
  for (const [at, image] of images.entries()) {
    const one = opened[at];
    if (one === undefined) continue;
    let verdict = await verifyOne(context, image, one, { expectation, policies }, flags);
    if (mayBeOutdated(origin, rejectionCodes(verdict.verdict))) {
      ({ expectation, origin } = await expectationOf(context, flags, predicateType, { fresh: true }));
      verdict = await verifyOne(context, image, one, { expectation, policies }, flags);
    }
    if (verdict.verdict.kind === 'undecided') throwIfEnded(context.signal);
    verdicts.push(verdict);
    policies.warn();
    report(context, verdict, { expectation, policies }, flags);
  }
  if (context.json) {
    const document = verdictDocument(verdicts, context.warnings, expectation, origin, attestationDocument);
    writeJson(context, { ...document, policies: policies.names });
  }
  return exitCodeOfVerdicts(verdicts);
}

async function expectationOf(
  context: CommandContext,
  flags: Flags,
  predicateType: string,
  options?: TrustOptions,
): Promise<{ readonly expectation: AttestationExpectation; readonly origin: TrustSource | undefined }> {
  const { signers, origin } = await loadExpectedSigners(context, flags, 'verify-attestation', options);
  const expectation = {
    signers,
    predicateType,
    strictPredicate: flags['strict-predicate'],
    checkClaims: flags['check-claims'],
  };
  return { expectation, origin };
}

function requireDigests(images: readonly string[], opened: readonly OpenedRepository[]): void {
  const tagged = images.find((_, at) => opened[at]?.byDigest !== true);
  if (tagged === undefined) return;
  throw new CliError('usage', `${tagged} is named by a tag, and --require-digest asks for name@sha256:…`);
}

interface Demand {
  readonly expectation: AttestationExpectation;
  readonly policies: AskedPolicies;
}

/** What a signal interrupted is no answer; that the time was up is one. */
function throwIfEnded(signal: AbortSignal): void {
  if (signal.aborted && exitCodeOf(signal.reason) !== EXIT.undecided) signal.throwIfAborted();
}

async function verifyOne(
  context: CommandContext,
  image: string,
  { repository, target }: OpenedRepository,
  { expectation, policies }: Demand,
  flags: Flags,
): Promise<ImageVerdict<Attestation>> {
  const { verifyAttestations } = await import('../../image/index.ts');
  const evidence = await openEvidence(context, flags, 'pull');
  const maxSealBytes = maxAttachmentSize(context);
  const verdict = await verifyAttestations(repository, target, expectation, {
    ...(evidence === undefined ? {} : { evidence }),
    ...(flags['new-bundle-format'] ? {} : { formats: ['legacy'] }),
    ...(maxSealBytes === undefined ? {} : { limits: { maxSealBytes } }),
    all: flags.all,
    tagPrefix: flags['attachment-tag-prefix'],
    maxWorkers: flags['max-workers'],
    accept: ({ envelope }) => policies.refuses(envelope.payload),
  });
  return { image, repository: repository.name, verdict };
}

function report(
  context: CommandContext,
  verdict: ImageVerdict<Attestation>,
  { expectation, policies }: Demand,
  flags: Flags,
): void {
  if (verdict.verdict.kind !== 'trusted') {
    if (!context.json) context.stderr(explainAttestations(context, verdict, flags.type));
    return;
  }
  for (const { faults, place } of verdict.verdict.seals)
    warnOfFaults(context, faults, `the predicate in ${place.manifest}`);
  if (context.json) return;
  context.stderr(cosignHeader(verdict, expectation, policies.names));
  for (const { bundle, format } of verdict.verdict.seals) context.stdout(envelopeLine(bundle.content, format, true));
}
