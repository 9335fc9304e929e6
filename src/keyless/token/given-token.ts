// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { KeylessError } from '../error.ts';
import { looksLikeToken } from './identity-token.ts';
import { readTokenFile } from './token-file.ts';

/** A token that was given, and which way it was read: as itself, or as the path of a file. */
export interface GivenToken {
  readonly text: string;
  readonly kind: 'token' | 'file';
  /** for messages */
  readonly from: string;
}

/**
 * Reads the value of `--identity-token`: a token where it has a token's form, else the path of a file with a token in it.
 *
 * @throws KeylessError `token-unreadable`
 */
export async function readGivenToken(value: string): Promise<GivenToken> {
  const given = value.trim();
  if (given === '') throw new KeylessError('token-unreadable', 'the identity token that was given is empty');
  if (looksLikeToken(given)) return { text: given, kind: 'token', from: 'the given identity token' };
  // what is no token may be a broken one, and a path is never as long
  if (given.length > 4096 || given.startsWith('eyJ') || given.includes('\0')) {
    throw new KeylessError(
      'token-malformed',
      `the identity token that was given has ${given.length} characters and is neither a JSON Web Token (three parts with a dot between them) nor the path of a file`,
    );
  }
  const text = await readTokenFile(given);
  if (text === undefined) {
    throw new KeylessError(
      'token-unreadable',
      `the identity token that was given is not a JSON Web Token, and there is no file ${shownPath(given)} that could hold one`,
    );
  }
  return { text, kind: 'file', from: `the file ${printable(given, 200)}` };
}

/** A path for a message; what is rather a secret of another kind is not shown. */
function shownPath(given: string): string {
  return given.length <= 32 || given.includes('/') || given.includes('\\')
    ? `'${printable(given, 200)}'`
    : `of that name (${given.length} characters)`;
}
