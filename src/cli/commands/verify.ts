// SPDX-License-Identifier: Apache-2.0
import type { Expectation } from '../../image/index.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { parseAnnotations } from '../flags/annotations.ts';
import { attachmentTarget } from '../flags/attachment.ts';
import { COSIGN_VERIFY_FLAGS } from '../flags/cosign-verify.ts';
import { loadExpectedSigners } from '../flags/expected-signers.ts';
import { IDENTITY_FLAGS } from '../flags/identity.ts';
import { KEY_FLAG } from '../flags/key.ts';
import { LOCAL_IMAGE_FLAG, REQUIRE_DIGEST_FLAG } from '../flags/opened-images.ts';
import { PKI_FLAGS } from '../flags/pki.ts';
import { REGISTRY_FLAGS } from '../flags/registry.ts';
import { TRUST_FLAGS } from '../flags/trust.ts';
import { writeJson } from '../output/json-document.ts';
import { exitCodeOfVerdicts, type ImageVerdict } from '../output/verdict-exit-code.ts';
import { cosignElements, cosignHeader, cosignSigners, cosignText } from '../output/verdict-cosign.ts';
import { verdictDocument } from '../output/verdict-json.ts';
import { explainVerdict } from '../output/verdict-text.ts';
import { judgeImages, openJudgedImages, searchOptions } from '../verdict/judge-images.ts';

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
  'max-workers': { kind: 'integer', default: 10, min: 1, help: 'how many seals are fetched at a time' },
  'attachment-tag-prefix': {
    kind: 'string',
    default: '',
    placeholder: 'PREFIX',
    help: "prefix of the tags beside the image, as cosign 2's",
  },
  ...LOCAL_IMAGE_FLAG,
  ...REQUIRE_DIGEST_FLAG,
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
    const opened = await openJudgedImages(context, images, flags);
    const annotations = parseAnnotations(flags.annotations);
    if (!flags['check-claims'])
      context.warn('--check-claims=false: annotations are not checked, and a legacy seal of another image passes');
    const { verdicts, asked } = await judgeImages(context, opened, {
      async ask(options) {
        const { signers, ...whence } = await loadExpectedSigners(context, flags, 'verify', options);
        return { expectation: { signers, annotations, checkClaims: flags['check-claims'] }, ...whence };
      },
      async judge(image, { expectation }) {
        const { verifyImage } = await import('../../image/index.ts');
        const options = await searchOptions(context, flags);
        const target = await attachmentTarget(image, flags.attachment, flags['attachment-tag-prefix']);
        return verifyImage(image.repository, target, expectation, options);
      },
      report: (verdict, { expectation }) => report(context, verdict, expectation, flags),
    });
    if (context.json) writeJson(context, verdictDocument(verdicts, context.warnings, asked.expectation, asked.origin));
    return exitCodeOfVerdicts(verdicts);
  },
});

function report(context: CommandContext, verdict: ImageVerdict, expectation: Expectation, flags: Flags): void {
  if (context.json) return;
  if (verdict.verdict.kind === 'trusted') {
    context.stderr(cosignHeader(verdict, expectation));
    if (flags.output === 'text') context.stderr(cosignSigners(verdict));
    context.stdout(flags.output === 'text' ? cosignText(verdict) : cosignElements(verdict));
  } else {
    context.stderr(explainVerdict(context, verdict));
  }
}
