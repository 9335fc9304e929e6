// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { passwordToSet } from '../flags/password.ts';
import { placeKeyPair, writeKeyPair } from '../key-pair/write-key-pair.ts';

/** The names of the kinds of key, as `KEY_ALGORITHMS` in trust; a test holds the two equal. Here they cost no load. */
const ALGORITHMS = ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'ed25519', 'rsa-2048', 'rsa-3072', 'rsa-4096'] as const;

/** `bulla generate-key-pair`: a new key, encrypted as cosign does. */
export const command: Command = defineCommand({
  name: 'generate-key-pair',
  summary: 'Make a key pair: an encrypted private key and its public key',
  description:
    'Writes PREFIX.key (mode 0600) and PREFIX.pub, both or none. The password comes from COSIGN_PASSWORD or BULLA_PASSWORD (either may be ' +
    'empty), else it is asked for twice on the terminal, else standard input is the password. cosign reads these keys, and Bulla reads its.',
  usage: '[flags]',
  arguments: { min: 0, max: 1, name: 'nothing' },
  flags: {
    'output-key-prefix': {
      kind: 'string',
      default: 'cosign',
      placeholder: 'PREFIX',
      help: 'write PREFIX.key and PREFIX.pub',
    },
    algorithm: {
      kind: 'string',
      default: 'ecdsa-p256',
      choices: ALGORITHMS,
      placeholder: 'KIND',
      help: 'the kind of key',
    },
    yes: { kind: 'boolean', short: 'y', help: 'replace files that exist without asking' },
    kms: {
      kind: 'string',
      default: '',
      placeholder: 'URI',
      hidden: true,
      help: 'make the key in a KMS',
      refused: 'this version makes keys in files only: leave it out',
    },
  },
  examples: [
    'bulla generate-key-pair',
    'COSIGN_PASSWORD= bulla generate-key-pair --output-key-prefix ci --yes',
    'bulla generate-key-pair --algorithm ed25519',
  ],
  async run(context, [provider], flags) {
    if (provider !== undefined) {
      throw new CliError('key-reference-unsupported', `${provider}: this version writes keys to files only`, {
        hint: 'leave it out, and store the files where you like',
      });
    }
    const place = await placeKeyPair(context, flags['output-key-prefix'], flags.yes);
    const password = await passwordToSet(context);
    const { generatePrivateKey } = await import('../../trust/index.ts');
    await writeKeyPair(
      context,
      place,
      await generatePrivateKey(flags.algorithm as (typeof ALGORITHMS)[number]),
      password,
    );
    return EXIT.ok;
  },
});
