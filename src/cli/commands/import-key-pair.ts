// SPDX-License-Identifier: Apache-2.0
import type { PrivateKey } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { readKeyReference } from '../flags/key-reference.ts';
import { openPrivateKey } from '../flags/private-key.ts';
import { passwordInEnvironment, passwordToSet } from '../flags/password.ts';
import { placeKeyPair, writeKeyPair } from '../key-pair/write-key-pair.ts';

/** `bulla import-key-pair`: a private key made elsewhere, encrypted as cosign does. */
export const command: Command = defineCommand({
  name: 'import-key-pair',
  summary: 'Turn a private key made elsewhere into an encrypted key pair',
  description:
    'Reads PKCS#8 (plain or encrypted), SEC1, PKCS#1 or JWK: ECDSA on P-256, P-384 or P-521, Ed25519, RSA of 2048 to 4096 bits. If the key to ' +
    'import is encrypted, its own password is tried to be the new one, then asked for.',
  usage: '[flags] --key KEY',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: {
    key: { kind: 'string', short: 'k', placeholder: 'KEY', help: 'private key file, or env://NAME' },
    'output-key-prefix': {
      kind: 'string',
      short: 'o',
      default: 'import-cosign',
      placeholder: 'PREFIX',
      help: 'write PREFIX.key and PREFIX.pub',
    },
    yes: { kind: 'boolean', short: 'y', help: 'replace files that exist without asking' },
  },
  examples: ['bulla import-key-pair --key openssl.key', 'bulla import-key-pair --key env://SIGNING_KEY -o release -y'],
  async run(context, _args, flags) {
    const reference = flags.key ?? '';
    if (reference === '') {
      throw new CliError('usage', '--key is required: which private key is imported?', {
        hint: `for example: ${context.program} import-key-pair --key private.pem`,
      });
    }
    const bytes = await readKeyReference(context, reference, 'private key');
    const place = await placeKeyPair(context, flags['output-key-prefix'], flags.yes);
    const key = await openForImport(context, bytes, reference);
    await writeKeyPair(context, place, key, await passwordToSet(context));
    return EXIT.ok;
  },
});

/** The variable holds the new password, and perhaps the old one: where it does not fit, somebody may know. */
async function openForImport(context: CommandContext, bytes: Uint8Array, reference: string): Promise<PrivateKey> {
  const { decodePrivateKey, TrustError } = await import('../../trust/index.ts');
  try {
    return await openPrivateKey(context, bytes, reference);
  } catch (error) {
    const another = error instanceof TrustError && error.code === 'password-wrong' && context.canPrompt;
    if (!another || passwordInEnvironment(context) === undefined) throw error;
    const password = await context.askHidden(`Enter password for ${reference}:`);
    return await decodePrivateKey(bytes, { what: reference, passwords: [Buffer.from(password)] });
  }
}
