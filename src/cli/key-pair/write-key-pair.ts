// SPDX-License-Identifier: Apache-2.0
import { lstatSync } from 'node:fs';
import { resolve } from 'node:path';
import type { PrivateKey } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { replaceFiles } from '../file/replace-files.ts';
import { passwordInEnvironment } from '../flags/password.ts';
import { writeJson } from '../output/json-document.ts';

/** What `generate-key-pair` and `import-key-pair` print with `--json`. */
export interface KeyPairDocument {
  /** the files, as named on the command line */
  readonly privateKey: string;
  readonly publicKey: string;
  /** for example `ecdsa-p256` */
  readonly algorithm: string;
  /** base64 of the SHA-256 of the public key's SubjectPublicKeyInfo: what bundles name the key by */
  readonly hint: string;
}

/** Where a key pair goes. */
export interface KeyPairPlace {
  /** `cosign` makes `cosign.key` and `cosign.pub` */
  readonly prefix: string;
  /** one of the files is there and may be replaced */
  readonly replace: boolean;
}

/**
 * Settles where a key pair goes before any key is made: asks whether files that exist may be replaced, unless `yes`.
 *
 * @throws CliError `declined`, `usage`
 */
export async function placeKeyPair(context: CommandContext, prefix: string, yes: boolean): Promise<KeyPairPlace> {
  if (prefix === '') throw new CliError('usage', '--output-key-prefix is empty');
  const existing = namesOf(prefix).find((name) => exists(resolve(context.cwd, name)));
  if (existing === undefined) return { prefix, replace: false };
  if (yes) return { prefix, replace: true };
  // without a password in the environment, what is piped in is the password and no answer
  if (!context.canPrompt && passwordInEnvironment(context) === undefined) {
    throw new CliError('declined', `${existing} already exists`, { hint: '--yes replaces it' });
  }
  context.warn(`File ${existing} already exists. Overwrite?`);
  if (!(await context.askYesNo('Are you sure you would like to continue?'))) {
    throw new CliError('declined', `user declined the prompt: ${existing} was left as it is`, {
      hint: '--yes replaces it',
    });
  }
  return { prefix, replace: true };
}

/**
 * Writes a key pair, both files or none: the private key encrypted and readable by its owner only.
 *
 * @throws CliError `file-exists` where somebody made a file meanwhile, `file-unwritable`
 */
export async function writeKeyPair(
  context: CommandContext,
  place: KeyPairPlace,
  key: PrivateKey,
  password: Uint8Array,
): Promise<void> {
  const { encodePublicKey, encryptPrivateKey } = await import('../../trust/index.ts');
  const [privateKey, publicKey] = namesOf(place.prefix);
  replaceFiles(
    [
      {
        path: resolve(context.cwd, privateKey),
        bytes: Buffer.from(await encryptPrivateKey(key, password)),
        mode: 0o600,
      },
      { path: resolve(context.cwd, publicKey), bytes: Buffer.from(encodePublicKey(key.publicKey)), mode: 0o644 },
    ],
    { exclusive: !place.replace },
  );
  context.stderr(`Private key written to ${privateKey}\nPublic key written to ${publicKey}\n`);
  if (!context.json) return;
  const { algorithm, hint } = key.publicKey;
  const document: KeyPairDocument = { privateKey, publicKey, algorithm, hint };
  writeJson(context, document);
}

function namesOf(prefix: string): readonly [string, string] {
  return [`${prefix}.key`, `${prefix}.pub`];
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
