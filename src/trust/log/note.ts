// SPDX-License-Identifier: Apache-2.0
import { decodeBase64, encodeBase64 } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';

/**
 * A text with signatures under it, which nobody has verified.
 *
 * @see https://github.com/C2SP/C2SP/blob/main/signed-note.md
 */
export interface SignedNote {
  /** what is signed, as UTF-8; it ends with a line feed */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** One line under a note. Name and key id say which key it is by; neither is signed. */
export interface NoteSignature {
  readonly name: string;
  /** 4 octets */
  readonly keyId: Uint8Array;
  /** one octet at least; its form is the key's affair */
  readonly signature: Uint8Array;
}

/** octets of a key id */
export const KEY_ID_BYTES = 4;
/** characters of a note; one with 32 signatures by ML-DSA-44 has half of that */
const MAX_LENGTH = 256 * 1024;
/** The specification wants 16 at least. */
const MAX_SIGNATURES = 32;
const LINE = /^— ([^ ]+) ([^ ]+)$/;
const TEXT = /^[^\x00-\x09\x0b-\x1f]*\n$/;

/**
 * Reads a note, strictly: well-formed text, no control characters, one signature at least, every line under it a signature.
 *
 * @param what names the note in errors
 * @throws TrustError `note-malformed`; WireError `base64-malformed`
 */
export function decodeNote(document: string, what: string): SignedNote {
  if (document.length > MAX_LENGTH)
    throw malformed(what, `${document.length} characters, at most ${MAX_LENGTH} are read`);
  if (!TEXT.test(document) || !document.isWellFormed())
    throw malformed(what, 'control characters, half a character, or no line feed at its end');
  const blank = document.lastIndexOf('\n\n');
  if (blank === -1) throw malformed(what, 'no empty line before its signatures');
  const lines = document.slice(blank + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES)
    throw malformed(what, `${lines.length} signatures, at most ${MAX_SIGNATURES} are read`);
  return { text: document.slice(0, blank + 1), signatures: lines.map((line) => decodeSignature(line, what)) };
}

/**
 * Writes a note.
 *
 * @throws TrustError `note-malformed` for what a note cannot hold
 * @example
 * encodeNote(encodeCheckpoint(checkpoint), [await signer.sign(text)])
 */
export function encodeNote({ text, signatures }: SignedNote): string {
  if (!TEXT.test(text) || !text.isWellFormed())
    throw malformed('the note', 'a text with control characters, half a character, or no line feed at its end');
  if (signatures.length === 0) throw malformed('the note', 'no signature');
  return `${text}\n${signatures.map(encodeNoteSignature).join('')}`;
}

/** One line under a note: all that a witness answers. @throws TrustError `note-malformed` */
export function encodeNoteSignature({ name, keyId, signature }: NoteSignature): string {
  requireName(name, 'the note');
  if (keyId.length !== KEY_ID_BYTES || signature.length === 0)
    throw malformed('the note', `a key id of ${keyId.length} octets or no signature`);
  return `— ${name} ${encodeBase64(Buffer.concat([keyId, signature]))}\n`;
}

/** @throws TrustError `note-malformed` unless this can name a key: no space, no plus, not empty */
export function requireName(name: string, what: string): void {
  if (name === '' || /[\p{White_Space}\p{Cc}+]/u.test(name) || !name.isWellFormed())
    throw malformed(what, `the key name '${printable(name)}', expected one without spaces and plus signs`);
}

function decodeSignature(line: string, what: string): NoteSignature {
  const [, name, encoded] = LINE.exec(line) ?? [];
  if (name === undefined || encoded === undefined)
    throw malformed(what, `the line '${printable(line, 40)}', expected a signature`);
  requireName(name, what);
  const octets = decodeBase64(encoded, `the signature by ${printable(name)} in ${what}`);
  if (octets.length <= KEY_ID_BYTES) throw malformed(what, `a signature by ${printable(name)} of no octets`);
  return { name, keyId: octets.subarray(0, KEY_ID_BYTES), signature: octets.subarray(KEY_ID_BYTES) };
}

function malformed(what: string, found: string): TrustError {
  return new TrustError('note-malformed', `${what} is no signed note: it has ${found}`);
}
