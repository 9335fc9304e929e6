// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeBase64, WireError } from '../../wire/index.ts';
import { TrustError, type TrustErrorCode } from '../error.ts';
import { generatePrivateKey } from '../key/private-key.ts';
import { decodePublicKey, KEY_ALGORITHMS } from '../key/public-key.ts';
import { keySigner } from '../key/signer.ts';
import { decodeCheckpoint, encodeCheckpoint, hostOfLog, isRekorV1Origin, rekorV1Origin } from './checkpoint.ts';
import { decodeNoteKey, encodeNoteKey, isNamed, noteKey, noteKeyHash, noteSigner, signNote } from './note-key.ts';
import { decodeNote, encodeNote, encodeNoteSignature } from './note.ts';

const golden = join(import.meta.dirname, '../../../test/golden');

function refused(act: () => unknown, code: TrustErrorCode, pattern: RegExp): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof TrustError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
}

// From the specifications: signed-note, tlog-checkpoint and tlog-cosignature of C2SP.
const POEM = `Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
`;
const COSIGNED = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
`;
const SIGNATURE = encodeBase64(Buffer.from('idid signature'));
const LINE = `— name ${SIGNATURE}\n`;

describe('a note', () => {
  test('of the specification is read, its text with an empty line in it', () => {
    const { text, signatures } = decodeNote(POEM, 'the poem');
    assert.ok(text.endsWith('\n\ned è subito sera.\n'));
    assert.deepEqual(
      signatures.map(({ name, keyId, signature }) => [name, Buffer.from(keyId).toString('hex'), signature.length]),
      [['quasimodo.example/salvatore', '367ba04b', 64]],
    );
  });

  test('is written as it was read', () => {
    for (const note of [POEM, COSIGNED]) assert.equal(encodeNote(decodeNote(note, 'it')), note);
  });

  const malformed = {
    'that is empty': ['', /no line feed/],
    'without a line feed at its end': [`text\n\n— name ${SIGNATURE}`, /no line feed/],
    'without signatures': ['text\n', /empty line/],
    'that ends after the empty line': ['text\n\n', /the line ''/],
    'with something else under it': [`text\n\n${LINE}more\n`, /the line 'more'/],
    'with another dash': [`text\n\n- name ${SIGNATURE}\n`, /expected a signature/],
    'with two spaces in a line': [`text\n\n— name  ${SIGNATURE}\n`, /expected a signature/],
    'with a carriage return': [`text\r\n\n${LINE}`, /control/],
    'with a NUL': [`te\0xt\n\n${LINE}`, /control/],
    'with a tab': [`te\txt\n\n${LINE}`, /control/],
    'with half a character': [`te\ud800xt\n\n${LINE}`, /half a character/],
    'with a name of a plus sign': [`text\n\n— a+b ${SIGNATURE}\n`, /key name 'a\+b'/],
    'with a name of another space': [`text\n\n— a\u00a0b ${SIGNATURE}\n`, /key name/],
    'with a key id alone': [`text\n\n— name ${encodeBase64(Buffer.from('only'))}\n`, /no octets/],
    'with more signatures than are read': [`text\n\n${LINE.repeat(33)}`, /33 signatures, at most 32/],
    'that is too large': [`${'x'.repeat(256 * 1024)}\n\n${LINE}`, /at most 262144/],
  } as const;
  for (const [name, [note, pattern]] of Object.entries(malformed))
    test(`${name} is refused`, () => refused(() => decodeNote(note, 'it'), 'note-malformed', pattern));

  test('with a signature that is not base64 is refused', () => {
    for (const bad of ['aWRpZA', 'aWRpZA=', 'aWRp*A==', 'aWRpZB=='])
      assert.throws(() => decodeNote(`text\n\n— name ${bad}\n`, 'it'), WireError);
  });

  test('that none can be is not written', () => {
    const line = { name: 'name', keyId: Buffer.from('idid'), signature: Buffer.from('s') };
    const note =
      (text: string, ...signatures: (typeof line)[]) =>
      () =>
        encodeNote({ text, signatures });
    refused(note('text', line), 'note-malformed', /line feed/);
    refused(note('te\rxt\n', line), 'note-malformed', /control/);
    refused(note('text\n'), 'note-malformed', /no signature/);
    refused(note('text\n', { ...line, name: 'a b' }), 'note-malformed', /key name/);
    refused(note('text\n', { ...line, name: '' }), 'note-malformed', /key name/);
    refused(() => encodeNoteSignature({ ...line, keyId: Buffer.from('id') }), 'note-malformed', /key id/);
    refused(() => encodeNoteSignature({ ...line, signature: Buffer.alloc(0) }), 'note-malformed', /no signature/);
  });

  test('with anything changed is read, or refused with a code', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(POEM, COSIGNED),
        fc.nat(),
        fc.string({ maxLength: 3 }),
        fc.nat(3),
        (note, at, put, cut) => {
          const place = at % note.length;
          const changed = note.slice(0, place) + put + note.slice(place + cut);
          try {
            assert.equal(encodeNote(decodeNote(changed, 'it')), changed);
          } catch (error) {
            assert.ok(error instanceof TrustError || error instanceof WireError, String(error));
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('a key for notes', () => {
  test('has the id that C2SP and Rekor give it', () => {
    const ed25519 = decodePublicKey(
      Buffer.from('MCowBQYDK2VwAyEAL1Z9n3akwTBIAGJa3A6dOvQRrr20W81//wJpYXH1sL0=', 'base64'),
      'rekor2',
    );
    assert.equal(encodeBase64(noteKeyHash('localhost', ed25519)), '/fqH18CdItq+Dg8hJuEs5/yvJENfyEs7bo+gka4QLFg=');
    const ecdsa = decodePublicKey(
      Buffer.from(
        'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkEeWj7j7xJ4YiTJzxRRpQ5f93ewgAxERi/TfL9gxSfbB3Zdxkl0xLG24wVkUYNjddldg3fWaZHBpGlqZFG4llQ==',
        'base64',
      ),
      'rekor1',
    );
    assert.equal(encodeBase64(noteKeyHash('whatever', ecdsa)), 'oMzSY2RvYQWfc0KAFl/uFY3GiIek1ZJLt/TxBL6eCfo=');
    // The log of the public instance, from its trusted root.
    const log2025 = decodePublicKey(
      Buffer.from('MCowBQYDK2VwAyEAt8rlp1knGwjfbcXAYPYAkn0XiLz1x8O4t0YkEhie244=', 'base64'),
      'log2025-1',
    );
    assert.equal(
      encodeBase64(noteKeyHash('log2025-1.rekor.sigstore.dev', log2025)),
      'zxGZFVvd0FEmjR8WrFwMdcAJ9vtaY/QXf44Y1wUeP6A=',
    );
  });

  test('of RSA is named by its own type', () => {
    const key = decodePublicKey(readFileSync(join(golden, '_keys/imp-rsa2048.pub')), 'it');
    const other = noteKeyHash('b', key);
    assert.equal(noteKey('a', key).type, 'rsa');
    assert.notDeepEqual(noteKeyHash('a', key), other);
  });

  for (const algorithm of KEY_ALGORITHMS.filter((name) => !/-[34]0/.test(name)))
    test(`of ${algorithm} verifies what it signed, and nothing else`, async () => {
      const key = await generatePrivateKey(algorithm);
      const note = decodeNote(await signNote('text\n', [noteSigner('log.example', keySigner(key))]), 'it');
      const [line] = note.signatures;
      const verifier = noteKey('log.example', key.publicKey);
      assert.ok(line !== undefined && isNamed(line, verifier));
      assert.ok(verifier.verify(Buffer.from('text\n'), line.signature));
      assert.ok(!verifier.verify(Buffer.from('text'), line.signature));
      assert.ok(!verifier.verify(Buffer.from('text\n'), line.signature.subarray(1)));
      assert.ok(!isNamed(line, noteKey('other.example', key.publicKey)));
    });

  test('is written and read back', async () => {
    const key = await generatePrivateKey('ed25519');
    const vkey = encodeNoteKey(noteKey('log.example/a', key.publicKey));
    assert.match(vkey, /^log\.example\/a\+[0-9a-f]{8}\+A[A-Za-z0-9+/]{43}$/);
    const { object, verify: _, ...read } = decodeNoteKey(vkey);
    assert.deepEqual(read, {
      name: 'log.example/a',
      type: 'ed25519',
      keyId: noteKey('log.example/a', key.publicKey).keyId,
    });
    assert.ok(object.equals(key.publicKey.object));
    assert.equal(encodeNoteKey(decodeNoteKey(vkey)), vkey);
  });

  test('that Go wrote is read', () => {
    // From the documentation of golang.org/x/mod/sumdb/note.
    const key = decodeNoteKey('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
    assert.equal(key.name, 'PeterNeumann');
    const note = decodeNote(
      "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n" +
        '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n',
      'it',
    );
    const [line] = note.signatures;
    assert.ok(line !== undefined && isNamed(line, key) && key.verify(Buffer.from(note.text), line.signature));
  });

  test('is refused if it is none', async () => {
    const key = await generatePrivateKey('ed25519');
    const [, id = '', body = ''] = encodeNoteKey(noteKey('n', key.publicKey)).split(/\+(.{8})\+/);
    const vkey = (type: number, octets: Uint8Array): string =>
      `n+${id}+${encodeBase64(Buffer.concat([Uint8Array.of(type), octets]))}`;
    const octets = Buffer.from(body, 'base64').subarray(1);
    for (const bad of ['', 'n', `n+${id}`, `n+${id}+`, `+${id}+${body}`, `n+${id.toUpperCase()}x+${body}`])
      refused(() => decodeNoteKey(bad), 'note-key-malformed', /expected name/);
    refused(() => decodeNoteKey(`a b+${id}+${body}`), 'note-malformed', /key name/);
    refused(() => decodeNoteKey(`other+${id}+${body}`), 'note-key-malformed', /expected the id/);
    refused(() => decodeNoteKey(vkey(2, octets)), 'note-key-malformed', /expected Ed25519/);
    refused(() => decodeNoteKey(vkey(1, octets.subarray(1))), 'note-key-malformed', /expected Ed25519/);
    refused(() => decodeNoteKey(vkey(6, octets)), 'note-key-malformed', /expected Ed25519/);
    refused(() => decodeNoteKey(vkey(1, Buffer.alloc(32))), 'key-unsupported', /small order/);
    const ecdsa = noteKey('n', decodePublicKey(readFileSync(join(golden, '_keys/cosign.pub')), 'it'));
    refused(() => encodeNoteKey(ecdsa), 'note-key-malformed', /expected Ed25519/);
  });
});

describe('a checkpoint', () => {
  const text = COSIGNED.slice(0, COSIGNED.indexOf('\n\n') + 1);

  test('of the specification is read, and written as it was read', () => {
    const checkpoint = decodeCheckpoint(text, 'it');
    assert.deepEqual([checkpoint.origin, checkpoint.size], ['example.com/behind-the-sofa', 20_852_163]);
    assert.equal(checkpoint.root.length, 32);
    assert.equal(encodeCheckpoint(checkpoint), text);
  });

  test('may have further lines', () => {
    const checkpoint = decodeCheckpoint(`${text}Timestamp: 1678\nmore\n`, 'it');
    assert.deepEqual(checkpoint.extensions, ['Timestamp: 1678', 'more']);
    assert.equal(encodeCheckpoint(checkpoint), `${text}Timestamp: 1678\nmore\n`);
  });

  const root = encodeBase64(Buffer.alloc(32));
  const malformed = {
    'of two lines': `a\n1\n`,
    'without a line feed at its end': `a\n1\n${root}`,
    'with an empty line': `a\n1\n${root}\n\nmore\n`,
    'with an empty origin': `\n1\n${root}\n`,
    'with a size of leading zeros': `a\n01\n${root}\n`,
    'with a negative size': `a\n-1\n${root}\n`,
    'with a size beyond what a number holds': `a\n9007199254740992\n${root}\n`,
    'with a size of a sign': `a\n+1\n${root}\n`,
    'with a root of another length': `a\n1\n${encodeBase64(Buffer.alloc(31))}\n`,
    'with an origin that no witness could sign': `${'a'.repeat(256)}\n1\n${root}\n`,
  };
  for (const [name, bad] of Object.entries(malformed))
    test(`${name} is refused`, () => refused(() => decodeCheckpoint(bad, 'it'), 'checkpoint-malformed', /it has/));

  test('that none can be is not written', () => {
    const good = { origin: 'a', size: 1, root: Buffer.alloc(32), extensions: [] };
    for (const bad of [
      { origin: '' },
      { origin: 'a\nb' },
      { size: -1 },
      { size: 2 ** 53 },
      { root: Buffer.alloc(31) },
      { extensions: [''] },
      { extensions: ['a\nb'] },
      { extensions: ['\ud800'] },
    ])
      refused(() => encodeCheckpoint({ ...good, ...bad }), 'checkpoint-malformed', /it has/);
  });

  test('of Rekor v1 is told by its origin', () => {
    assert.equal(rekorV1Origin('rekor.example', 1_193_050_959_916_656_506n), 'rekor.example - 1193050959916656506');
    for (const origin of ['rekor.sigstore.dev - 2605736670972794746', 'a b - 1']) assert.ok(isRekorV1Origin(origin));
    for (const origin of ['rekor.example', ' - 1', 'a - b', 'a - 1x', 'a -1']) assert.ok(!isRekorV1Origin(origin));
  });

  test('of Rekor v2 has the host of the log, without port and path', () => {
    assert.equal(hostOfLog('https://log2025-1.rekor.sigstore.dev'), 'log2025-1.rekor.sigstore.dev');
    assert.equal(hostOfLog('http://127.0.0.1:5570/rekor2/x'), '127.0.0.1');
    assert.equal(hostOfLog('http://[::1]:80/'), '::1');
    for (const none of ['', 'localhost', '127.0.0.1:25120/rekor', 'mailto:a@b'])
      assert.equal(hostOfLog(none), undefined);
  });
});
