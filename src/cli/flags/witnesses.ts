// SPDX-License-Identifier: Apache-2.0
import { decodeNoteKey, encodeNoteKey, type NoteKey, type WitnessDemand } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import { printable } from '../output/printable.ts';

/**
 * The witnesses that must have seen a log before its entries count.
 *
 * @param vkeys as witnesses publish them, `name+id+key`
 * @param threshold all of them unless told
 * @throws CliError `usage` for a key that is of no witness, for two under one name, and for more witnesses than are named; TrustError
 * `note-key-malformed`, `note-malformed`, `key-unsupported`; WireError `base64-malformed`
 * @see https://github.com/C2SP/C2SP/blob/main/signed-note.md#verifier-keys
 */
export function demandWitnesses(vkeys: readonly string[], threshold: number | undefined): WitnessDemand {
  const keys = new Map<string, NoteKey>();
  for (const vkey of vkeys) {
    const key = decodeNoteKey(vkey.trim());
    const shown = printable(key.name.slice(0, 80));
    if (!key.type.startsWith('cosignature-'))
      throw new CliError(
        'usage',
        `--witness-key ${shown} is the key of a log, expected one that cosigns (type 4 or 6): a log does not witness itself`,
      );
    const known = keys.get(key.name);
    if (known !== undefined && encodeNoteKey(known) !== encodeNoteKey(key))
      throw new CliError('usage', `--witness-key ${shown} was given with two keys: a witness counts once`);
    const twin = [...keys.values()].find(({ name, object }) => name !== key.name && object.equals(key.object));
    if (twin !== undefined)
      throw new CliError(
        'usage',
        `--witness-key ${shown} has the key of ${printable(twin.name.slice(0, 80))}: a witness counts once`,
      );
    keys.set(key.name, key);
  }
  const wanted = threshold ?? keys.size;
  if (wanted <= keys.size) return { keys: [...keys.values()], threshold: wanted };
  throw new CliError('usage', `--witness-threshold asks for ${wanted} witnesses, and --witness-key names ${keys.size}`);
}
