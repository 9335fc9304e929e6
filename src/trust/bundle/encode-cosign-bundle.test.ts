// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { encodePublicKey, decodePublicKey } from '../key/public-key.ts';
import type { Bundle } from './bundle.ts';
import { decodeCosignBundle } from './decode-cosign-bundle.ts';
import { encodeCosignBundle } from './encode-cosign-bundle.ts';
import { encodeEnvelope } from './envelope.ts';

const golden = join(import.meta.dirname, '../../../test/golden');
const read = (name: string): Uint8Array => readFileSync(join(golden, name));
const key = decodePublicKey(read('_keys/cosign.pub'), 'cosign.pub');

/** What is in a bundle of cosign 2, whatever the order and spacing of its members. */
function said(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString());
}

describe('the bundle of cosign 2', () => {
  for (const name of ['keyless-2.5.0-env/old.bundle', 'blob-2.5.0/old.bundle'])
    test(`is written as cosign 2.5.0 wrote it: ${name}`, () => {
      const recorded = read(name);
      const written = encodeCosignBundle(decodeCosignBundle(recorded, name), key);
      const { cert, ...rest } = said(written) as { readonly cert: string };
      const { cert: recordedCert, ...recordedRest } = said(recorded) as { readonly cert?: string };
      assert.deepEqual(rest, recordedRest);
      // PEM, to the octets that it stands for
      if (recordedCert !== undefined) assert.equal(pemBody(cert), pemBody(recordedCert));
    });

  test('is read back as what it was written of', () => {
    const bundle = decodeCosignBundle(read('keyless-2.5.0-env/old.bundle'), 'old.bundle');
    assert.deepEqual(decodeCosignBundle(encodeCosignBundle(bundle, key), 'it'), bundle);
  });

  test('has the public key where there is no certificate, and no member for a log where there is none', () => {
    const bundle = decodeCosignBundle(read('blob-2.5.0/old.bundle'), 'old.bundle');
    const bare: Bundle = { ...bundle, material: { kind: 'public-key' }, logEntries: [] };
    const document = said(encodeCosignBundle(bare, key)) as { readonly cert: string };
    assert.deepEqual(Object.keys(document).toSorted(), ['base64Signature', 'cert']);
    assert.equal(Buffer.from(document.cert, 'base64').toString(), encodePublicKey(key));
  });

  test('has an envelope, where there is one, in the place of the signature', () => {
    const bundle = decodeCosignBundle(read('blob-2.5.0/old.bundle'), 'old.bundle');
    const envelope = { payloadType: 'x', payload: Uint8Array.of(1), signatures: [{ sig: Uint8Array.of(2) }] };
    const document = said(encodeCosignBundle({ ...bundle, content: { kind: 'dsse', envelope } }, key));
    const { base64Signature } = document as { readonly base64Signature: string };
    assert.deepEqual(said(Buffer.from(base64Signature, 'base64')), said(encodeEnvelope(envelope)));
  });

  test('names the leaf of a chain alone', () => {
    const bundle = decodeCosignBundle(read('keyless-2.5.0-env/old.bundle'), 'old.bundle');
    assert.ok(bundle.material.kind === 'certificate');
    const [leaf] = bundle.material.chain;
    assert.ok(leaf !== undefined);
    const longer: Bundle = { ...bundle, material: { kind: 'certificate', chain: [leaf, leaf] } };
    assert.deepEqual(said(encodeCosignBundle(longer, key)), said(encodeCosignBundle(bundle, key)));
  });

  test('is refused for what it has no place for', () => {
    const bundle = decodeCosignBundle(read('keyless-2.5.0-env/old.bundle'), 'old.bundle');
    const [entry] = bundle.logEntries;
    assert.ok(entry !== undefined);
    const { signedEntryTimestamp: _, ...unpromised } = entry;
    const cases: readonly (readonly [change: Partial<Bundle>, message: RegExp])[] = [
      [{ timestamps: [Uint8Array.of(1)] }, /no place for a timestamp$/],
      [{ logEntries: [entry, entry] }, /no place for entries of 2 logs$/],
      [{ logEntries: [unpromised] }, /no place for an entry of Rekor v2$/],
    ];
    for (const [change, message] of cases)
      assert.throws(() => encodeCosignBundle({ ...bundle, ...change }, key), { code: 'bundle-malformed', message });
  });
});

function pemBody(encoded: string): string {
  return Buffer.from(encoded, 'base64').toString().replaceAll(/\s+/g, '');
}
