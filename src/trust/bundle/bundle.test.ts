// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { CodedError } from '../../wire/index.ts';
import { BUNDLE_MEDIA_TYPES, type Bundle } from './bundle.ts';
import { decodeBundle } from './decode-bundle.ts';
import { encodeBundle } from './encode-bundle.ts';

const golden = join(import.meta.dirname, '../../../test/golden');
const KEYLESS = 'keyless-3.1.1-rekor1/att.sigstore.json';
const KEYED = 'key-tlog-3.1.1-rekor2/b.json';

function read(path: string): string {
  return readFileSync(join(golden, path), 'utf8');
}

function decode(text: string): Bundle {
  return decodeBundle(Buffer.from(text), 'the bundle');
}

function encoded(bundle: Bundle): string {
  return Buffer.from(encodeBundle(bundle)).toString();
}

function refused(text: string, code: string, pattern: RegExp): void {
  assert.throws(
    () => decode(text),
    (error) => {
      assert.ok(error instanceof CodedError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, pattern);
      assert.ok(error.message.startsWith('the bundle') && !error.message.includes('\n'), error.message);
      return true;
    },
  );
}

/** Every bundle that the real cosign 3.1.1 wrote, wherever it lies: without white space, as it writes them. */
const RECORDED = globSync('{*/*.json,*/layout/blobs/sha256/*}', { cwd: golden }).filter((path) => {
  const start = readFileSync(join(golden, path)).subarray(0, 400).toString();
  return start.startsWith('{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial"');
});

describe('reads what cosign 3.1.1 wrote and writes it back byte for byte', () => {
  test('there are such bundles of every kind', () => {
    assert.ok(RECORDED.length >= 40, `${RECORDED.length}`);
    for (const path of [KEYLESS, KEYED, 'blob-3.1.1/b.sigstore.json']) assert.ok(RECORDED.includes(path), path);
  });
  for (const path of RECORDED) {
    // What the recorder changed itself, it wrote in its own way.
    if (path.startsWith('tamper-') && path.includes('/layout/')) continue;
    test(path, () => {
      const text = read(path);
      // An empty digest, which cosign writes for keys of type Ed25519, says nothing.
      assert.equal(encoded(decode(text)), text.replace('"messageDigest":{},', ''));
    });
  }
});

test('reads a bundle with a key, field by field', () => {
  const { mediaType, material, content, logEntries, timestamps } = decode(read(KEYED));
  assert.equal(mediaType, 'application/vnd.dev.sigstore.bundle.v0.3+json');
  assert.deepEqual(material, { kind: 'public-key', hint: 'wuImj6xlg6g6lWyEgx1O2OeID1jpiKcG+vwoiDXluH8=' });
  assert.equal(content.kind === 'message' && content.digest?.algorithm, 'sha256');
  assert.equal(content.kind === 'message' && content.digest?.bytes.byteLength, 32);
  assert.deepEqual(timestamps, []);
  const [entry, ...others] = logEntries;
  assert.deepEqual(others, []);
  assert.equal(entry?.logIndex, 9);
  assert.deepEqual(entry?.kindVersion, { kind: 'hashedrekord', version: '0.0.2' });
  assert.equal(entry?.integratedTime, undefined);
  assert.equal(entry?.signedEntryTimestamp, undefined);
  assert.equal(entry?.inclusionProof?.treeSize, 10);
  assert.equal(entry?.inclusionProof?.hashes.length, 2);
  assert.ok(entry?.inclusionProof?.checkpoint?.startsWith('localhost\n10\n'));
  assert.match(Buffer.from(entry?.canonicalizedBody ?? []).toString(), /^\{"apiVersion":"0\.0\.2"/);
});

test('reads a bundle with a certificate, field by field', () => {
  const { material, content, logEntries } = decode(read(KEYLESS));
  assert.ok(material.kind === 'certificate' && material.chain.length === 1 && material.chain[0]?.[0] === 0x30);
  assert.ok(content.kind === 'dsse');
  assert.equal(content.envelope.payloadType, 'application/vnd.in-toto+json');
  assert.equal(content.envelope.signatures.length, 1);
  assert.equal(logEntries[0]?.integratedTime, 1795330978);
  assert.equal(logEntries[0]?.signedEntryTimestamp?.[0], 0x30);
  assert.equal(logEntries[0]?.logKeyId?.byteLength, 32);
});

describe('reads every spelling that ProtoJSON allows', () => {
  const expected = decode(read(KEYED));
  const snake = read(KEYED).replace(
    /"([a-z0-9]+(?:[A-Z][a-z0-9]*)+)":/g,
    (_, name: string) => `"${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}":`,
  );
  const spellings = {
    'fields with underscores': snake,
    'numbers without quotes': read(KEYED).replaceAll(/"(\d+)"/g, '$1'),
    'numbers with a fraction of nothing': read(KEYED).replaceAll('"treeSize":"10"', '"treeSize":10.0'),
    'the URL alphabet': read(KEYED).replace(
      /"digest":"([^"]*)"/,
      (_, text: string) => `"digest":"${Buffer.from(text, 'base64').toString('base64url')}"`,
    ),
    'the number of an algorithm': read(KEYED).replace('"SHA2_256"', '1'),
    'null for what is unset': read(KEYED)
      .replace('"inclusionProof":', '"integratedTime":null,"inclusionPromise":null,"inclusionProof":')
      .replace('"messageSignature":', '"dsseEnvelope":null,"messageSignature":'),
    'white space': JSON.stringify(JSON.parse(read(KEYED)), null, 2),
  };
  for (const [name, text] of Object.entries(spellings)) {
    test(name, () => {
      assert.notEqual(text, read(KEYED));
      assert.deepEqual(decode(text), expected);
    });
  }
  test('the defaults of what is left out', () => {
    const [entry] = decode(
      read(KEYED).replace('"tlogEntries":[{"logIndex":"9",', '"tlogEntries":[{').replace('"treeSize":"10",', ''),
    ).logEntries;
    assert.deepEqual([entry?.logIndex, entry?.inclusionProof?.treeSize], [0, 0]);
  });
  test('an entry of which everything is left out', () => {
    const empty = JSON.parse(read(KEYED));
    empty.verificationMaterial.tlogEntries = [{}];
    assert.deepEqual(
      decode(JSON.stringify(empty)).logEntries.map(({ logIndex, ...rest }) => [logIndex, Object.keys(rest)]),
      [[0, ['canonicalizedBody']]],
    );
    assert.match(encoded(decode(JSON.stringify(empty))), /"tlogEntries":\[\{\}\]/);
  });
});

describe('reads every version', () => {
  const text = JSON.parse(read('bundle-create-upgrade/v01.json'));
  for (const mediaType of BUNDLE_MEDIA_TYPES.keys()) {
    test(mediaType, () => {
      const bundle = decode(JSON.stringify({ ...text, mediaType }));
      assert.equal(bundle.mediaType, mediaType);
      assert.deepEqual(decode(encoded(bundle)), bundle);
    });
  }
  test('a chain of certificates up to version 0.2, which is written back', () => {
    const verificationMaterial = {
      x509CertificateChain: { certificates: [{ rawBytes: 'AQ==' }, { rawBytes: 'Ag==' }] },
    };
    const old = JSON.stringify({ ...text, verificationMaterial });
    const bundle = decode(old);
    assert.ok(bundle.material.kind === 'certificate' && bundle.material.chain.length === 2);
    assert.equal(encoded(bundle), old);
  });
});

describe('refuses', () => {
  const good = read(KEYED);
  const dsse = read(KEYLESS);
  const set = (change: (bundle: Record<string, Record<string, unknown>>) => void, from = good): string => {
    const bundle = JSON.parse(from);
    change(bundle);
    return JSON.stringify(bundle);
  };
  const entry = JSON.parse(good).verificationMaterial.tlogEntries[0];
  const list = (count: number, item: unknown): unknown[] => Array(count).fill(item);
  const material = (change: object, from = good): string =>
    set((bundle) => Object.assign(bundle['verificationMaterial'] ?? {}, change), from);

  const malformed: Readonly<Record<string, readonly [string, RegExp]>> = {
    'a list': ['[]', /expected an object/],
    'no verification material': [
      set((bundle) => delete bundle['verificationMaterial']),
      /verificationMaterial is missing/,
    ],
    'neither key nor certificate': [
      material({ publicKey: null }),
      /0 of publicKey, certificate and x509CertificateChain/,
    ],
    'a key and a certificate': [material({ publicKey: {} }, dsse), /2 of publicKey, certificate/],
    'a chain of certificates in version 0.3': [
      material({ publicKey: null, x509CertificateChain: { certificates: [{ rawBytes: 'AQ==' }] } }),
      /x509CertificateChain is not part of version 0\.3/,
    ],
    'an empty certificate': [material({ certificate: {} }, dsse), /certificate\.rawBytes is empty/],
    'no content': [set((bundle) => delete bundle['messageSignature']), /neither of messageSignature and dsseEnvelope/],
    'two contents': [
      set((bundle) => Object.assign(bundle, { dsseEnvelope: {} })),
      /both of messageSignature and dsseEnvelope/,
    ],
    'an unknown field': [set((bundle) => Object.assign(bundle, { zzz: 1 })), /has an unknown field 'zzz'/],
    'an unknown field in the material': [material({ zzz: 1 }), /verificationMaterial has an unknown field 'zzz'/],
    'an unknown field in the key': [
      material({ publicKey: { rawBytes: 'AA==' } }),
      /publicKey has an unknown field 'rawBytes'/,
    ],
    'an unknown field in an entry': [
      material({ tlogEntries: [{ ...entry, zzz: 1 }] }),
      /tlogEntries\[0\] has an unknown field 'zzz'/,
    ],
    'an unknown field in a proof': [
      material({ tlogEntries: [{ inclusionProof: { zzz: 1 } }] }),
      /inclusionProof has an unknown field 'zzz'/,
    ],
    'an unknown field in an envelope': [
      set((bundle) => Object.assign(bundle['dsseEnvelope'] ?? {}, { zzz: 1 }), dsse),
      /dsseEnvelope has an unknown field 'zzz'/,
    ],
    'an unknown field in a signature': [
      set((bundle) => Object.assign(bundle['dsseEnvelope'] ?? {}, { signatures: [{ zzz: 1 }] }), dsse),
      /signatures\[0\] has an unknown field 'zzz'/,
    ],
    'an unknown field whose name a terminal would obey': [
      set((bundle) => Object.assign(bundle, { '\u001b[2J': 1 })),
      /unknown field '\\u\{1b\}\[2J'/,
    ],
    'a field in both spellings': [
      set((bundle) => Object.assign(bundle, { media_type: 'x' })),
      /mediaType is given in two spellings/,
    ],
    'a field twice': [
      good.replace('{', '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json",'),
      /'mediaType' twice/,
    ],
    'a payload twice, deep inside': [dsse.replace('"payload":', '"payload":"AA==","payload":'), /'payload' twice/],
    'a material that is no object': [
      set((bundle) => Object.assign(bundle, { verificationMaterial: [] })),
      /verificationMaterial is no object/,
    ],
    'a hint that is no text': [material({ publicKey: { hint: 1 } }), /hint is no text/],
    'entries that are no list': [material({ tlogEntries: {} }), /tlogEntries is no list/],
    'an entry that is no object': [material({ tlogEntries: [null] }), /tlogEntries\[0\] is no object/],
    'a negative number': [material({ tlogEntries: [{ logIndex: -1 }] }), /logIndex is no whole number/],
    'a negative index': [material({ tlogEntries: [{ logIndex: '-1' }] }), /logIndex is no whole number/],
    'an index with a fraction': [material({ tlogEntries: [{ logIndex: 1.5 }] }), /logIndex is no whole number/],
    'an index that is too large to be exact': [
      material({ tlogEntries: [{ logIndex: '9007199254740993' }] }),
      /logIndex is no whole number/,
    ],
    'an index with a leading zero': [material({ tlogEntries: [{ logIndex: '010' }] }), /logIndex is no whole number/],
    'an index that is no number': [material({ tlogEntries: [{ logIndex: true }] }), /logIndex is no whole number/],
    'a hash that is no text': [
      material({ tlogEntries: [{ inclusionProof: { hashes: [1] } }] }),
      /hashes\[0\] is no text/,
    ],
    'more than 32 log entries (GHSA-cq38-jh5f-37mq)': [
      material({ tlogEntries: list(33, entry) }),
      /tlogEntries is a list of 33, at most 32/,
    ],
    'more than 32 timestamps (GHSA-cq38-jh5f-37mq)': [
      material({ timestampVerificationData: { rfc3161Timestamps: list(33, { signedTimestamp: 'AA==' }) } }),
      /rfc3161Timestamps is a list of 33, at most 32/,
    ],
    'an empty timestamp': [
      material({ timestampVerificationData: { rfc3161Timestamps: [{}] } }),
      /signedTimestamp is empty/,
    ],
    'more than 32 signatures (GHSA-cq38-jh5f-37mq)': [
      set((bundle) => Object.assign(bundle['dsseEnvelope'] ?? {}, { signatures: list(33, { sig: 'AA==' }) }), dsse),
      /signatures is a list of 33, at most 32/,
    ],
    'a proof longer than any tree is high': [
      material({ tlogEntries: [{ inclusionProof: { hashes: list(65, 'AA==') } }] }),
      /hashes is a list of 65, at most 64/,
    ],
    'more than 16 certificates': [
      material(
        { publicKey: null, x509CertificateChain: { certificates: list(17, { rawBytes: 'AA==' }) } },
        read('bundle-create-upgrade/v01.json'),
      ),
      /certificates is a list of 17, at most 16/,
    ],
    'a chain without certificates': [
      material({ publicKey: null, x509CertificateChain: {} }, read('bundle-create-upgrade/v01.json')),
      /x509CertificateChain is empty/,
    ],
  };
  for (const [name, [text, pattern]] of Object.entries(malformed)) {
    test(name, () => refused(text, 'bundle-malformed', pattern));
  }

  test('an unknown field, in whatever message it stands', () => {
    const stamped = material({ timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: 'AA==' }] } });
    const chained = material(
      { publicKey: null, x509CertificateChain: { certificates: [{ rawBytes: 'AQ==' }] } },
      read('bundle-create-upgrade/v01.json'),
    );
    let messages = 0;
    for (const text of [good, dsse, stamped, chained]) {
      for (let place = 0; ; place++) {
        let seen = 0;
        const changed = JSON.stringify(
          JSON.parse(text, (_, value: unknown) =>
            typeof value === 'object' && value !== null && !Array.isArray(value) && seen++ === place
              ? { ...value, zzz: 1 }
              : value,
          ),
        );
        if (seen <= place) break;
        refused(changed, 'bundle-malformed', /unknown field 'zzz'/);
        messages++;
      }
    }
    assert.ok(messages > 30, `${messages}`);
  });

  const unsupported: Readonly<Record<string, readonly [string, RegExp]>> = {
    'no media type': [set((bundle) => delete bundle['mediaType']), /has no media type/],
    'version 0.4': [
      good.replace('v0.3', 'v0.4'),
      /has the media type 'application\/vnd\.dev\.sigstore\.bundle\.v0\.4\+json', expected a sigstore bundle/,
    ],
    'another document': ['{"mediaType":"application/vnd.oci.image.manifest.v1+json"}', /image\.manifest/],
    'an unknown digest algorithm': [good.replace('SHA2_256', 'MD5'), /has the algorithm MD5/],
    'the number of no digest algorithm': [good.replace('"SHA2_256"', '9'), /has the algorithm 9/],
    'a digest without its algorithm': [good.replace('"algorithm":"SHA2_256",', ''), /has the algorithm null/],
  };
  for (const [name, [text, pattern]] of Object.entries(unsupported)) {
    test(name, () => refused(text, 'bundle-unsupported', pattern));
  }

  test('what is no JSON', () => refused('<!doctype html>', 'json-malformed', /is not JSON/));
  test('what nests without end', () => refused('{"a":'.repeat(1000), 'json-too-deep', /deeper/));
  test('a signature that is not base64', () => {
    refused(
      good.replace(/"signature":"/, '"signature":"*'),
      'base64-malformed',
      /the bundle\.messageSignature\.signature is not base64/,
    );
  });
  test('more than 4 MiB, unless the caller allows it', () => {
    const large = good + ' '.repeat(4 * 1024 * 1024);
    refused(large, 'too-large', /at most 4194304/);
    assert.deepEqual(decodeBundle(Buffer.from(large), 'it', { maxBytes: 5 * 1024 * 1024 }), decode(good));
  });
});
