// SPDX-License-Identifier: Apache-2.0
import type { Attestation, AttestationExpectation } from '../../image/index.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { maxAttachmentSize } from '../flags/attachment-size.ts';
import { PREDICATE_TYPE_FLAG, STRICT_PREDICATE_FLAG } from '../flags/attestation.ts';
import { demandedPredicateType } from '../flags/attested-content.ts';
import { COSIGN_VERIFY_FLAGS } from '../flags/cosign-verify.ts';
import { loadExpectedSigners } from '../flags/expected-signers.ts';
import { IDENTITY_FLAGS } from '../flags/identity.ts';
import { KEY_FLAG } from '../flags/key.ts';
import { LOCAL_IMAGE_FLAG, REQUIRE_DIGEST_FLAG, type OpenedImage } from '../flags/opened-images.ts';
import { PKI_FLAGS } from '../flags/pki.ts';
import { askedPolicies, PREDICATE_POLICY_FLAG, type AskedPolicies } from '../flags/predicate-policies.ts';
import { REGISTRY_FLAGS } from '../flags/registry.ts';
import { TRUST_FLAGS } from '../flags/trust.ts';
import { attestationDocument, explainAttestations } from '../output/attestation-verdict.ts';
import { envelopeLine } from '../output/envelope-line.ts';
import { writeJson } from '../output/json-document.ts';
import { warnOfFaults } from '../output/predicate-faults.ts';
import { cosignHeader } from '../output/verdict-cosign.ts';
import { exitCodeOfVerdicts, type ImageVerdict } from '../output/verdict-exit-code.ts';
import { verdictDocument } from '../output/verdict-json.ts';
import { judgeImages, openJudgedImages, searchOptions } from '../verdict/judge-images.ts';

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
  'max-workers': {
    kind: 'integer',
    default: 10,
    min: 1,
    help: 'how many are fetched at a time, at most; never more than 4',
  },
  'attachment-tag-prefix': { kind: 'string', default: '', placeholder: 'PREFIX', help: 'prefix of the .att tag' },
  ...LOCAL_IMAGE_FLAG,
  ...REQUIRE_DIGEST_FLAG,
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
    'Finds the attestations of an image, in both formats and wherever they lie, exits 0 if one of the kind meets the expectation, and prints its envelope. With --policy all of the kind must that are by whom one expects, and all are printed. ' +
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
    const opened = await openJudgedImages(context, images, flags);
    if (!flags['check-claims'])
      context.warn('--check-claims=false: an attestation in an .att tag passes that is about another image');
    const policies = await askedPolicies(context, flags);
    try {
      return await judgeAll(context, opened, { policies, predicateType }, flags);
    } finally {
      await policies.end();
    }
  },
});

/** What is asked of what is attested. */
interface Content {
  readonly policies: AskedPolicies;
  readonly predicateType: string;
}

async function judgeAll(
  context: CommandContext,
  images: readonly OpenedImage[],
  { policies, predicateType }: Content,
  flags: Flags,
): Promise<number> {
  const { 'check-claims': checkClaims, 'strict-predicate': strictPredicate } = flags;
  const { verdicts, asked } = await judgeImages(context, images, {
    async ask(options) {
      const { signers, ...whence } = await loadExpectedSigners(context, flags, 'verify-attestation', options);
      return { expectation: { signers, predicateType, strictPredicate, checkClaims }, ...whence };
    },
    async judge({ repository, target }, { expectation }) {
      const { verifyAttestations } = await import('../../image/index.ts');
      const options = await searchOptions(context, flags);
      const maxSealBytes = maxAttachmentSize(context);
      return verifyAttestations(repository, target, expectation, {
        ...options,
        ...(maxSealBytes === undefined ? {} : { limits: { maxSealBytes } }),
        accept: ({ envelope }) => policies.refuses(envelope.payload),
        unanimous: policies.names.length > 0,
      });
    },
    report(verdict, { expectation }) {
      policies.warn();
      report(context, verdict, { expectation, policies }, flags);
    },
  });
  if (context.json) {
    const document = verdictDocument(verdicts, context.warnings, asked.expectation, asked.origin, attestationDocument);
    writeJson(context, { ...document, policies: policies.names });
  }
  return exitCodeOfVerdicts(verdicts);
}

function report(
  context: CommandContext,
  verdict: ImageVerdict<Attestation>,
  { expectation, policies }: { readonly expectation: AttestationExpectation; readonly policies: AskedPolicies },
  flags: Flags,
): void {
  if (verdict.verdict.kind !== 'trusted') {
    if (!context.json) context.stderr(explainAttestations(context, verdict, flags.type, policies.names));
    return;
  }
  for (const { faults, place } of verdict.verdict.seals)
    warnOfFaults(context, faults, `the predicate in ${place.manifest}`);
  if (context.json) return;
  context.stderr(cosignHeader(verdict, expectation, policies.names));
  for (const { bundle, format } of verdict.verdict.seals) context.stdout(envelopeLine(bundle.content, format, true));
}
