// SPDX-License-Identifier: Apache-2.0
import { readUnsignedSbom } from '../attestation/read-unsigned-sbom.ts';
import { defineCommand, type Command } from '../command.ts';
import { REGISTRY_FLAGS } from '../flags/registry.ts';

/** `bulla download sbom`: the SBOM that lies beside an image, as it is. */
export const command: Command = defineCommand({
  name: 'download sbom',
  summary: 'Print the SBOM that lies beside an image, unverified',
  description:
    'Prints the SBOM under the .sbom tag, or one that is a referrer, as it is. Nobody vouches for it, and nothing is verified: use sbom get for that, which reads attested ones.',
  usage: '[flags] IMAGE',
  arguments: { min: 1, max: 1, name: 'image' },
  flags: {
    platform: {
      kind: 'string',
      default: '',
      placeholder: 'OS/ARCH',
      help: 'of an index, the image for this platform, for example linux/arm64',
    },
    'attachment-tag-prefix': { kind: 'string', default: '', placeholder: 'PREFIX', help: 'prefix of the .sbom tag' },
    ...REGISTRY_FLAGS,
  },
  examples: ['bulla download sbom registry.example.com/platform/demo-api:1.4'],
  async run(context, [image = ''], flags) {
    return readUnsignedSbom(context, image, flags);
  },
});
