// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { publicKeyOf } from '../key/public-key.ts';
import { encodeCheckpoint } from './checkpoint.ts';
import { cosignedMessage, encodeCosignature, verifyCosignatures } from './cosignature.ts';
import { newTestWitness, type TestWitness } from './log.fixture.ts';
import { decodeNoteKey, encodeNoteKey, noteKey } from './note-key.ts';
import { decodeNote, encodeNote, type NoteSignature, type SignedNote } from './note.ts';

const ORIGIN = 'example.com/behind-the-sofa';
const text = encodeCheckpoint({ origin: ORIGIN, size: 20_852_163, root: Buffer.alloc(32, 7), extensions: [] });

function noteWith(...signatures: readonly NoteSignature[]): SignedNote {
  return decodeNote(encodeNote({ text, signatures }), 'it');
}

/** A line by the witness, of whatever octets. */
function lineBy({ key }: TestWitness, signature: Uint8Array): NoteSignature {
  return { name: key.name, keyId: key.keyId, signature };
}

for (const type of ['ed25519', 'ml-dsa-44'] as const)
  describe(`the cosignature of a witness by ${type}`, () => {
    const witness = newTestWitness('w.example', type);

    test('says when it saw the checkpoint, the last of several', () => {
      assert.equal(witness.key.type, `cosignature-${type}`);
      const note = noteWith(witness.cosign(text, 1000), witness.cosign(text, 2000), witness.cosign(text, 1500));
      assert.deepEqual(verifyCosignatures(note, [witness.key]), [{ name: 'w.example', time: new Date(2_000_000) }]);
    });

    test('is not looked for unless it is asked for', () => {
      assert.deepEqual(verifyCosignatures(noteWith(witness.cosign(text, 1000)), []), []);
    });

    test('has a key that is written and read back', () => {
      const vkey = encodeNoteKey(witness.key);
      assert.equal(encodeNoteKey(decodeNoteKey(vkey)), vkey);
      assert.ok(decodeNoteKey(vkey).object.equals(witness.key.object));
    });

    test('is not believed for another checkpoint, another time, or cut short', () => {
      const good = witness.cosign(text, 1000).signature;
      const otherTime = Uint8Array.from(good).with(7, 0);
      const endless = Uint8Array.from(good).fill(0xff, 0, 8);
      const otherText = witness.cosign(text.replace('sofa', 'door'), 1000).signature;
      for (const bad of [
        otherText,
        otherTime,
        endless,
        good.subarray(0, 8),
        good.subarray(0, 40),
        Buffer.concat([good, good]),
      ])
        assert.deepEqual(verifyCosignatures(noteWith(lineBy(witness, bad)), [witness.key]), []);
    });

    test('is not believed under another name, and nothing else that the key signs is one', () => {
      const note = noteWith(witness.cosign(text, 1000));
      assert.deepEqual(verifyCosignatures(note, [{ ...witness.key, name: 'x.example' }]), []);
      const plain = encodeCosignature(1000, sign(null, Buffer.from(text), witness.secret));
      assert.deepEqual(verifyCosignatures(noteWith(lineBy(witness, plain)), [witness.key]), []);
    });
  });

test('one by Ed25519 is over the time and the whole text', () => {
  const { key } = newTestWitness('w.example');
  const message = Buffer.from(cosignedMessage(text, key, 1_679_315_147)).toString();
  assert.equal(message, `cosignature/v1\ntime 1679315147\n${text}`);
});

test('one by ML-DSA-44 is over the structure of the specification', () => {
  const { key } = newTestWitness('w', 'ml-dsa-44');
  assert.deepEqual(
    Buffer.from(cosignedMessage(text, key, 1_679_315_147)),
    Buffer.concat([
      Buffer.from('subtree/v1\n\0\x01w', 'latin1'),
      Buffer.from('00000000641850cb', 'hex'),
      Uint8Array.of(ORIGIN.length),
      Buffer.from(ORIGIN),
      Buffer.alloc(8),
      Buffer.from('00000000013e2dc3', 'hex'),
      Buffer.alloc(32, 7),
    ]),
  );
});

test('a plain signature by the key of a log is no cosignature', () => {
  const witness = newTestWitness('w.example');
  const log = noteKey('w.example', publicKeyOf(witness.key.object, 'it'));
  assert.deepEqual(verifyCosignatures(noteWith(witness.cosign(text, 1000)), [log]), []);
});
