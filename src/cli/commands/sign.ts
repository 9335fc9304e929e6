// SPDX-License-Identifier: Apache-2.0
import { defineCommand, type Command } from '../command.ts';
import { parseAnnotations } from '../flags/annotations.ts';
import { attachmentTarget, checkTagPrefix } from '../flags/attachment.ts';
import { COSIGN_SIGN_FLAGS } from '../flags/cosign-sign.ts';
import { KEY_FLAG } from '../flags/key.ts';
import { REQUIRE_DIGEST_FLAG } from '../flags/opened-images.ts';
import { REGISTRY_FLAGS } from '../flags/registry.ts';
import { formatsOf, SEAL_FORMAT_FLAGS, signingTime } from '../flags/seal-format.ts';
import { planSigning } from '../flags/signing-plan.ts';
import { SIGNING_FLAGS } from '../flags/signing.ts';
import { laidText } from '../output/made-seals.ts';
import { checkSealFiles } from '../output/seal-files.ts';
import { lookUp, openImagesToSeal, sealImages, sealOptions } from '../seal/seal-images.ts';

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
  ...REQUIRE_DIGEST_FLAG,
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
    const opened = await openImagesToSeal(context, images, flags);
    const { sealSubjects, signImage } = await import('../../image/index.ts');
    const { begin, subjectsOf } = lookUp(opened, async (image) => {
      const target = await attachmentTarget(image, flags.attachment, flags['attachment-tag-prefix']);
      return sealSubjects(image.repository, target, flags.recursive);
    });
    const plan = await planSigning(context, flags, {
      legacy: formats.includes('legacy'),
      given,
      stdinTaken: false,
      meanwhile: begin,
    });
    const options = {
      ...(await sealOptions(context, flags, { plan, formats, now: signingTime(context) })),
      annotations,
      upload: flags.upload,
      dockerReferences: flags['sign-container-identity'].filter((name) => name !== ''),
    };
    return sealImages(context, opened, {
      plan,
      files: flags,
      words: { does: 'seals', thing: 'seal' },
      async make(image) {
        const subjects = await subjectsOf(image);
        if (flags.upload) context.stderr(`Pushing signature to: ${(options.evidence ?? image.repository).name}\n`);
        return signImage(image.repository, subjects, options);
      },
      tell(seal) {
        const again = seal.format === 'legacy' && seal.existed ? AGAIN : '';
        return `Sealed ${seal.digest} as ${seal.format}: ${laidText(seal)}${again}\n`;
      },
      describe: ({ digest }, seals, log) => ({ digest, log, seals }),
    });
  },
});

const AGAIN = ' (it was sealed with this key before; nothing was written)';
