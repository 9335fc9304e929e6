// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { readFile } from '../file/read-file.ts';

/** More than any key file has. */
const MAX_KEY_BYTES = 64 * 1024;
/** No path is longer. */
const MAX_REFERENCE = 4096;

/**
 * The bytes that a key reference names: a path (`cosign.key`, `<(…)`) or a variable (`env://NAME`).
 *
 * @param what names the key in errors, for example `private key`
 * @throws CliError `file-missing`, `file-unreadable`, `variable-missing`, `input-too-large`, `key-reference-unsupported`
 */
export async function readKeyReference(
  context: Pick<CommandContext, 'cwd' | 'env'>,
  reference: string,
  what: string,
): Promise<Uint8Array> {
  refuseKeyItself(reference, what);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(reference)?.[1]?.toLowerCase();
  if (scheme === 'env') return fromEnvironment(context, reference.slice('env://'.length), what);
  if (scheme !== undefined) throw unsupported(reference, scheme);
  if (/^pkcs11:/i.test(reference)) throw unsupported(reference, 'pkcs11');
  if (reference === '') throw new CliError('usage', `reading ${what}: the key reference is empty`);
  return await readFile(reference, { cwd: context.cwd, what, maxBytes: MAX_KEY_BYTES });
}

/** `--key "$KEY"` with the key in the variable: what was meant for a file must not come out in an error. */
function refuseKeyItself(reference: string, what: string): void {
  if (!/-----BEGIN|[\r\n]|^(?:env:\/\/)?\s*\{/.test(reference) && reference.length <= MAX_REFERENCE) return;
  throw new CliError(
    'usage',
    `reading ${what}: the key reference looks like a key itself, expected a file or env://NAME`,
    {
      hint: 'a variable that holds a key is named without the $: --key env://NAME',
    },
  );
}

function fromEnvironment(context: Pick<CommandContext, 'env'>, name: string, what: string): Uint8Array {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) {
    throw new CliError(
      'usage',
      `reading ${what}: what follows env:// is no name of a variable (letters, digits and _)`,
    );
  }
  const value = Object.hasOwn(context.env, name) ? context.env[name] : undefined;
  if (value === undefined) throw new CliError('variable-missing', `reading ${what}: env var $${name} not found`);
  if (value.length > MAX_KEY_BYTES) {
    throw new CliError('input-too-large', `reading ${what}: env var $${name} is larger than ${MAX_KEY_BYTES} bytes`);
  }
  return Buffer.from(value);
}

function unsupported(reference: string, scheme: string): CliError {
  // a URL may carry a password, and the query of a PKCS#11 URI a PIN (RFC 7512, section 2.4)
  const shown = reference
    .replace(/\/\/[^/@]*@/, '//…@')
    .replace(/\?.*$/s, '?…')
    .slice(0, 120);
  if (scheme === 'http' || scheme === 'https') {
    return new CliError('key-reference-unsupported', `${shown}: keys are not fetched from the network`, {
      hint: 'download it where you trust what you get, and pass the file',
    });
  }
  return new CliError('key-reference-unsupported', `${shown}: ${scheme} keys are not supported by this version`, {
    hint: 'pass a key file or env://NAME',
  });
}
