// SPDX-License-Identifier: Apache-2.0
import { attachSeal } from '../attestation/attach-seal.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import { readAttachment } from '../flags/attachment-size.ts';
import { REGISTRY_FLAGS } from '../flags/registry.ts';

const MAX_FILES = 100;
/** one envelope a line, as `download attestation` prints them */
const MAX_ENVELOPES = 1000;

/** `bulla attach attestation`: an attestation that was made elsewhere. */
export const command: Command = defineCommand({
  name: 'attach attestation',
  summary: 'Lay attestations that were made elsewhere beside an image',
  description:
    'Takes a bundle, or DSSE envelopes one a line, and lays each beside the image: a bundle as a referrer, an envelope into the .att tag. ' +
    'It must be about the image; by whom it is is for verify-attestation to say. Prints the image as name@digest.',
  usage: '[flags] --attestation FILE IMAGE',
  arguments: { min: 1, max: 1, name: 'image' },
  flags: {
    attestation: {
      kind: 'strings',
      split: true,
      placeholder: 'FILE',
      help: 'bundle, or envelopes, in JSON; - for standard input; may be given several times',
    },
    'attachment-tag-prefix': { kind: 'string', default: '', placeholder: 'PREFIX', help: 'prefix of the .att tag' },
    ...REGISTRY_FLAGS,
  },
  examples: [
    'bulla attach attestation --attestation provenance.sigstore.json registry.example.com/platform/demo-api:1.4',
  ],
  async run(context, [image = ''], flags) {
    const names = flags.attestation;
    if (names.length === 0) throw new CliError('usage', 'required flag(s) "attestation" not set');
    if (names.length > MAX_FILES) throw new CliError('usage', `${names.length} files, at most ${MAX_FILES} are read`);
    const seals = [];
    for (const name of names) {
      context.stderr(`Using payload from: ${name}\n`);
      for (const document of documentsIn(await readAttachment(context, name, 'attestation'), name))
        seals.push({ kind: 'attestation', document } as const);
    }
    return attachSeal(context, image, seals, flags);
  },
});

/** The documents of a file: the whole of it, or a line each. */
function documentsIn(bytes: Uint8Array, name: string): readonly Uint8Array[] {
  const text = new TextDecoder().decode(bytes);
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length > MAX_ENVELOPES) return [bytes];
  if (lines.length === 0) throw new CliError('usage', `${name} is empty`);
  const each = lines.every((line) => line.trimStart().startsWith('{') && line.trimEnd().endsWith('}'));
  return lines.length > 1 && each ? lines.map((line) => new TextEncoder().encode(line)) : [bytes];
}
