// SPDX-License-Identifier: Apache-2.0
import { isNamed, type NoteKey } from './note-key.ts';
import type { NoteSignature, SignedNote } from './note.ts';
import { decodeCheckpoint } from './checkpoint.ts';

/** The word of a witness that a checkpoint followed every other one of the log that it had seen. */
export interface Cosignature {
  /** of the witness */
  readonly name: string;
  readonly time: Date;
}

const TIME_BYTES = 8;
/** Dates end in the year 275760; no witness lives as long. */
const MAX_SECONDS = 8.64e12;

/**
 * The cosignatures of trusted witnesses under a checkpoint; what is by others, or does not hold, is not among them. One a witness: its last.
 *
 * @throws TrustError `checkpoint-malformed`
 * @see https://github.com/C2SP/C2SP/blob/main/tlog-cosignature.md
 */
export function verifyCosignatures(note: SignedNote, witnesses: readonly NoteKey[]): readonly Cosignature[] {
  return witnesses.flatMap((witness) => {
    const times = note.signatures.flatMap((line) => (isNamed(line, witness) ? timeOf(line, note.text, witness) : []));
    return times.length === 0 ? [] : [{ name: witness.name, time: new Date(Math.max(...times) * 1000) }];
  });
}

/**
 * What a witness signs of a checkpoint.
 *
 * @param seconds since 1970
 * @throws TrustError `checkpoint-malformed`
 */
export function cosignedMessage(text: string, witness: Pick<NoteKey, 'name' | 'type'>, seconds: number): Uint8Array {
  if (witness.type !== 'cosignature-ml-dsa-44') return Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`);
  const { origin, size, root } = decodeCheckpoint(text, 'the checkpoint');
  return Buffer.concat([
    Buffer.from('subtree/v1\n\0'),
    named(witness.name),
    uint64(seconds),
    named(origin),
    uint64(0), // a checkpoint begins with the first leaf
    uint64(size),
    root,
  ]);
}

/** A cosignature as it stands in its line: the time, and the signature itself. */
export function encodeCosignature(seconds: number, signature: Uint8Array): Uint8Array {
  return Buffer.concat([uint64(seconds), signature]);
}

function timeOf({ signature }: NoteSignature, text: string, witness: NoteKey): readonly number[] {
  if (signature.length <= TIME_BYTES) return [];
  const seconds = Number(Buffer.from(signature.subarray(0, TIME_BYTES)).readBigUInt64BE());
  if (seconds > MAX_SECONDS) return [];
  const holds = witness.verify(cosignedMessage(text, witness, seconds), signature.subarray(TIME_BYTES));
  return holds ? [seconds] : [];
}

function named(name: string): Uint8Array {
  const octets = Buffer.from(name);
  return Buffer.concat([Uint8Array.of(octets.length), octets]);
}

function uint64(value: number): Uint8Array {
  const octets = Buffer.alloc(TIME_BYTES);
  octets.writeBigUInt64BE(BigInt(value));
  return octets;
}
