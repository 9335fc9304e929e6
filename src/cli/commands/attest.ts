// SPDX-License-Identifier: Apache-2.0
import { attestImages } from '../attestation/attest-images.ts';
import { defineCommand, type Command } from '../command.ts';
import { ATTEST_IMAGES_FLAGS } from '../flags/attest-images.ts';
import { ATTESTED_CONTENT_FLAGS, PREDICATE_TYPE_FLAG, STRICT_PREDICATE_FLAG } from '../flags/attestation.ts';
import { loadAttestedContent } from '../flags/attested-content.ts';

/** `bulla attest`: seals what one says of an image. */
export const command: Command = defineCommand({
  name: 'attest',
  summary: 'Attest something of images: an SBOM, provenance, a scan',
  description:
    'Makes an in-toto statement of a predicate and the digest of each image, signs it, verifies it, lays it beside the image in the registry, and prints what it is about as name@digest. ' +
    'A predicate that is not in the form of its kind is warned of. Key or identity as with sign.',
  usage: '[flags] [--key KEY] --predicate FILE [--type TYPE] IMAGE...',
  arguments: { min: 1, name: 'image' },
  flags: {
    ...ATTESTED_CONTENT_FLAGS,
    ...PREDICATE_TYPE_FLAG,
    ...STRICT_PREDICATE_FLAG,
    ...ATTEST_IMAGES_FLAGS,
  },
  examples: [
    'bulla attest --key cosign.key --type spdxjson --predicate sbom.spdx.json registry.example.com/platform/demo-api@sha256:…',
    'bulla attest --key cosign.key --type slsaprovenance1 --format both --predicate provenance.json registry.example.com/platform/demo-api:1.4',
    'bulla attest --yes --signing-config signing_config.json --trusted-root trusted_root.json --type vuln --predicate - IMAGE < scan.json',
  ],
  async run(context, images, flags, given) {
    return attestImages(context, images, flags, given, {
      load: async (now) => loadAttestedContent(context, flags, given, now),
      stdinTaken: flags.predicate === '-' || flags.statement === '-',
    });
  },
});
