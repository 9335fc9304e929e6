// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeBase64, WireError, type Json } from '../../wire/index.ts';
import { decodeEnvelope } from '../bundle/envelope.ts';
import { decodeCertificates } from '../certificate/certificate-chain.ts';
import { TrustError } from '../error.ts';
import { decodePublicKey } from '../key/public-key.ts';
import { GOLDEN, goldenLogs } from './golden-bundle.fixture.ts';
import type { LoggedSignature } from './logged-signature.ts';
import { leafHash } from './merkle.ts';
import { decodeRekorBundle, decodeRekorEntries, readRekorBundle } from './rekor-entry.ts';
import { verifyLogEntry } from './verify-entry.ts';

const logs = goldenLogs();

function file(path: string): Buffer {
  return readFileSync(join(GOLDEN, path));
}

interface Manifest {
  readonly layers: readonly { readonly digest: string; readonly annotations: Readonly<Record<string, string>> }[];
}

/** The layers that cosign 2 attached to an image. */
function layersOf(folder: string): readonly { payload: Buffer; annotations: Readonly<Record<string, string>> }[] {
  const blob = (digest: string): Buffer => file(`${folder}/layout/blobs/sha256/${digest.slice('sha256:'.length)}`);
  const index: { manifests: { digest: string; annotations?: Record<string, string> }[] } = JSON.parse(
    file(`${folder}/layout/index.json`).toString(),
  );
  return index.manifests
    .filter(({ annotations }) => /\.(?:sig|att)$/.test(Object.values(annotations ?? {}).join()))
    .flatMap(({ digest }) => (JSON.parse(blob(digest).toString()) as Manifest).layers)
    .map(({ digest, annotations }) => ({ payload: blob(digest), annotations }));
}

const BUNDLE = 'dev.sigstore.cosign/bundle';

describe('what cosign 2 attached', () => {
  for (const folder of ['key-tlog-2.5.0', 'keyless-2.5.0-env'])
    test(`${folder}: the promise of each layer holds for it, and for no other`, () => {
      const layers = layersOf(folder).filter(({ annotations }) => annotations[BUNDLE] !== undefined);
      assert.ok(layers.length >= 1, `${layers.length} layers`);
      for (const [at, { payload, annotations }] of layers.entries()) {
        const entry = decodeRekorBundle(Buffer.from(annotations[BUNDLE] ?? ''), 'the annotation');
        const held = heldBy(payload, annotations);
        const check = verifyLogEntry(entry, held, logs);
        assert.ok(check.kind === 'accepted', JSON.stringify(check));
        assert.deepEqual([check.promised, check.included], [true, false]);
        const other = layers[(at + 1) % layers.length];
        if (other === undefined || layers.length === 1) continue;
        assert.equal(verifyLogEntry(entry, heldBy(other.payload, other.annotations), logs).kind, 'rejected');
      }
    });

  function heldBy(payload: Buffer, annotations: Readonly<Record<string, string>>): LoggedSignature {
    const pem = annotations['dev.sigstore.cosign/certificate'];
    const verifier =
      pem === undefined
        ? ({ kind: 'public-key', key: decodePublicKey(file('_keys/cosign.pub'), 'it') } as const)
        : ({ kind: 'certificate', certificate: decodeCertificates(Buffer.from(pem), 'it')[0] } as const);
    const text = annotations['dev.cosignproject.cosign/signature'] ?? '';
    if (text !== '')
      return { signature: decodeBase64(text, 'it'), verifier, content: { kind: 'bytes', bytes: payload } };
    const envelope = decodeEnvelope(payload, 'it');
    const { sig } = envelope.signatures[0] ?? assert.fail();
    return { signature: sig, verifier, content: { kind: 'envelope', envelope, document: payload } };
  }
});

test('the bundle that cosign 2 writes for a blob is read, and holds', () => {
  const bundle: { base64Signature: string; rekorBundle: Json } = JSON.parse(
    file('key-tlog-2.5.0/old.bundle').toString(),
  );
  const held: LoggedSignature = {
    signature: decodeBase64(bundle.base64Signature, 'it'),
    verifier: { kind: 'public-key', key: decodePublicKey(file('_keys/cosign.pub'), 'it') },
    content: { kind: 'bytes', bytes: file('_inputs/blob.txt') },
  };
  assert.equal(verifyLogEntry(readRekorBundle(bundle.rekorBundle, 'it'), held, logs).kind, 'accepted');
});

describe('what a log of Rekor v1 answers', () => {
  const answer = file('_http/POST-rekor1_api_v1_log_entries-dsse.resp');

  test('is read, and holds for the envelope that was sent', () => {
    const entries = decodeRekorEntries(answer, 'the answer');
    const [[id, entry] = assert.fail()] = [...entries];
    assert.equal(id.slice(16), Buffer.from(leafHash(entry.canonicalizedBody)).toString('hex'));
    const request: { spec: { proposedContent: { envelope: string; verifiers: [string] } } } = JSON.parse(
      file('_http/POST-rekor1_api_v1_log_entries-dsse.req').toString(),
    );
    const { envelope: document, verifiers } = request.spec.proposedContent;
    const envelope = decodeEnvelope(Buffer.from(document), 'it');
    const [certificate] = decodeCertificates(Buffer.from(verifiers[0], 'base64'), 'it');
    const held: LoggedSignature = {
      signature: envelope.signatures[0]?.sig ?? assert.fail(),
      verifier: { kind: 'certificate', certificate },
      content: { kind: 'envelope', envelope },
    };
    const check = verifyLogEntry(entry, held, logs);
    assert.ok(check.kind === 'accepted' && check.promised && check.included, JSON.stringify(check));
  });

  const body: { [id: string]: { [name: string]: Json } } = JSON.parse(answer.toString());
  const [id = ''] = Object.keys(body);
  const changed = (change: (entry: { [name: string]: Json }) => Json): Buffer =>
    Buffer.from(JSON.stringify({ [id]: change({ ...body[id] }) }));
  const proof = (change: { [name: string]: Json }): Buffer =>
    changed((entry) => {
      const verification = entry['verification'] as { inclusionProof: { [name: string]: Json } };
      return {
        ...entry,
        verification: { ...verification, inclusionProof: { ...verification.inclusionProof, ...change } },
      };
    });
  const omit = (entry: { [name: string]: Json }, left: string): Json =>
    Object.fromEntries(Object.entries(entry).filter(([name]) => name !== left));
  const malformed: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
    'an entry under no name of one': [Buffer.from('{"x":{}}'), /an entry named 'x'/],
    'an entry that is no object': [changed(() => []), /no object/],
    'no body': [changed((entry) => ({ ...entry, body: null })), /no text 'body'/],
    'an index that is no number': [changed((entry) => ({ ...entry, logIndex: '34' })), /no whole number 'logIndex'/],
    'a negative time': [changed((entry) => ({ ...entry, integratedTime: -1 })), /no whole number 'integratedTime'/],
    'a log id that is not hexadecimal': [changed((entry) => ({ ...entry, logID: 'xyz' })), /no hexadecimal 'logID'/],
    'a verification that is no object': [
      changed((entry) => ({ ...entry, verification: 1 })),
      /no object 'verification'/,
    ],
    'hashes that are no list': [proof({ hashes: {} }), /no 'hashes'/],
    'more hashes than a tree is deep': [proof({ hashes: Array.from({ length: 65 }, () => '00') }), /more than 64/],
    'a root that is no text': [proof({ rootHash: 1 }), /no hexadecimal 'rootHash'/],
    'a checkpoint that is no text': [proof({ checkpoint: 1 }), /no text 'checkpoint'/],
    'more entries than were asked for': [
      Buffer.from(
        JSON.stringify(Object.fromEntries(Array.from({ length: 33 }, (_, n) => [String(n).padStart(64, '0'), 1]))),
      ),
      /33 entries/,
    ],
  };
  for (const [name, [bytes, pattern]] of Object.entries(malformed))
    test(`is refused with ${name}`, () => {
      assert.throws(
        () => decodeRekorEntries(bytes, 'the answer'),
        (error) => {
          assert.ok(error instanceof TrustError && error.code === 'log-entry-malformed', String(error));
          assert.match(error.message, pattern);
          return true;
        },
      );
    });

  test('may leave out what a verifier can do without', () => {
    const entries = decodeRekorEntries(
      changed((entry) => omit(entry, 'verification')),
      'it',
    );
    const [entry = assert.fail()] = entries.values();
    assert.deepEqual([entry.signedEntryTimestamp, entry.inclusionProof], [undefined, undefined]);
  });

  test('is read, or refused with a code, whatever is replaced', () => {
    const values = fc.oneof(fc.jsonValue(), fc.constantFrom(null, [], {}, '', -1, 'AA==', '00'));
    fc.assert(
      fc.property(fc.nat(), values, (at, value) => {
        let places = 0;
        JSON.parse(answer.toString(), () => void places++);
        let place = 0;
        const replaced: unknown = JSON.parse(answer.toString(), (_, old: unknown) =>
          place++ === at % places ? value : old,
        );
        const bytes = Buffer.from(JSON.stringify(replaced) ?? 'null');
        for (const decode of [decodeRekorEntries, decodeRekorBundle])
          try {
            decode(bytes, 'it');
          } catch (error) {
            assert.ok(error instanceof TrustError || error instanceof WireError, String(error));
            assert.ok(!error.message.includes('\n'));
          }
      }),
      { numRuns: 500 },
    );
  });
});

test('the annotation of cosign 2 is refused without its parts', () => {
  for (const bad of ['{}', '[]', '{"SignedEntryTimestamp":"AA=="}', '{"SignedEntryTimestamp":1,"Payload":{}}'])
    assert.throws(
      () => decodeRekorBundle(Buffer.from(bad), 'it'),
      (error) => error instanceof TrustError && error.code === 'log-entry-malformed',
    );
});
