// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import type { PublicKey } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { replaceFiles } from '../file/replace-files.ts';
import { readKeyReference } from '../flags/key-reference.ts';
import { ONE_KEY_FLAG } from '../flags/key.ts';
import { openPrivateKey } from '../flags/private-key.ts';
import { writeJson } from '../output/json-document.ts';

/** What `public-key --json` prints. */
export interface PublicKeyDocument {
  /** for example `ecdsa-p256` */
  readonly algorithm: string;
  /** base64 of the SHA-256 of the key's SubjectPublicKeyInfo: what bundles name the key by */
  readonly hint: string;
  /** PEM; absent with `--outfile` */
  readonly publicKey?: string;
  /** the file that was written */
  readonly outfile?: string;
}

const HARDWARE = 'hardware tokens are not supported by this version: pass --key';

/** `bulla public-key`: the public half, as PEM. */
export const command: Command = defineCommand({
  name: 'public-key',
  summary: 'Print the public key of a key',
  description: 'Takes a private key, or a public one in any form that is read, and writes it as PEM.',
  usage: '[flags] --key KEY',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: {
    ...ONE_KEY_FLAG,
    outfile: { kind: 'string', default: '', placeholder: 'FILE', help: 'write to FILE instead of stdout' },
    sk: { kind: 'boolean', hidden: true, help: 'use a hardware token', refused: HARDWARE },
    slot: { kind: 'string', default: '', hidden: true, help: 'slot of the hardware token', refused: HARDWARE },
  },
  examples: ['bulla public-key --key cosign.key', 'bulla public-key --key env://SIGNING_KEY --outfile cosign.pub'],
  async run(context, _args, flags) {
    const reference = flags.key ?? '';
    if (reference === '') {
      throw new CliError('usage', 'exactly one of: key reference (--key), or hardware token (--sk) must be provided', {
        hint: `for example: ${context.program} public-key --key cosign.key`,
      });
    }
    const { encodePublicKey } = await import('../../trust/index.ts');
    const key = await publicKeyFrom(context, reference);
    const pem = encodePublicKey(key);
    const { algorithm, hint } = key;
    if (flags.outfile !== '') {
      replaceFiles([{ path: resolve(context.cwd, flags.outfile), bytes: Buffer.from(pem), mode: 0o644 }]);
      context.stderr(`Public key written to ${flags.outfile}\n`);
      if (context.json) writeJson(context, { algorithm, hint, outfile: flags.outfile } satisfies PublicKeyDocument);
    } else if (context.json) writeJson(context, { algorithm, hint, publicKey: pem } satisfies PublicKeyDocument);
    else context.stdout(pem);
    return EXIT.ok;
  },
});

async function publicKeyFrom(context: CommandContext, reference: string): Promise<PublicKey> {
  const { decodePublicKey, TrustError } = await import('../../trust/index.ts');
  const bytes = await readKeyReference(context, reference, 'key');
  try {
    return decodePublicKey(bytes, reference);
  } catch (error) {
    if (!(error instanceof TrustError) || error.code !== 'key-is-private') throw error;
    return (await openPrivateKey(context, bytes, reference)).publicKey;
  }
}
