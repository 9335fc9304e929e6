// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { decodeBase64 } from '../wire/index.ts';
import type { Bundle, KeyMaterial } from './bundle/bundle.ts';
import { decodeBundle } from './bundle/decode-bundle.ts';
import { encodeBundle } from './bundle/encode-bundle.ts';
import { IN_TOTO_PAYLOAD_TYPE, preAuthEncoding } from './bundle/envelope.ts';
import { encodeSignStatement } from './bundle/statement.ts';
import { decodePrivateKey } from './key/private-key.ts';
import { decodePublicKey, type PublicKey } from './key/public-key.ts';
import { keySigner, type Signer } from './key/signer.ts';
import { signBundle } from './sign-bundle.ts';
import type { Artifact, Rejection, SealCheck } from './seal-check.ts';
import { verifyBundle } from './verify-bundle.ts';

const golden = join(import.meta.dirname, '../../test/golden');
const HEX = '4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6';
const IMAGE: Artifact = { kind: 'digest', algorithm: 'sha256', hex: HEX };
const BLOB: Artifact = { kind: 'bytes', bytes: readFileSync(join(golden, '_inputs/blob.txt')) };

function publicKey(name: string): PublicKey {
  return decodePublicKey(readFileSync(join(golden, '_keys', name)), name);
}

/** The bundles that a verifier finds in a recorded registry: those that its fallback index lists, or all if it has none. */
function attached(name: string): readonly Bundle[] {
  const blobs = join(golden, name, 'layout/blobs/sha256');
  const index = join(golden, name, `manifests/sha256-${HEX}.json`);
  const listed: readonly { digest: string }[] = existsSync(index)
    ? JSON.parse(readFileSync(index, 'utf8')).manifests
    : readdirSync(blobs).map((hex) => ({ digest: `sha256:${hex}` }));
  return listed.flatMap(({ digest }) => {
    const manifest = readFileSync(join(blobs, digest.slice(7)));
    if (!manifest.includes('"subject"')) return [];
    const [layer] = JSON.parse(manifest.toString()).layers;
    return [decodeBundle(readFileSync(join(blobs, layer.digest.slice(7))), name)];
  });
}

function only<T>(items: readonly T[]): T {
  const [item] = items;
  assert.ok(item !== undefined && items.length === 1, `${items.length} items`);
  return item;
}

async function signerOf(name: string): Promise<Signer> {
  return keySigner(await decodePrivateKey(readFileSync(join(golden, '_keys', name)), { what: name }));
}

async function verify(bundle: Bundle, artifact: Artifact, ...keys: PublicKey[]): Promise<SealCheck> {
  return verifyBundle(bundle, artifact, { keys });
}

function rejection(check: SealCheck): Rejection {
  assert.equal(check.kind, 'rejected');
  return check.rejection;
}

/** The only bundle of a recorded case, with its envelope changed. */
async function sealed(): Promise<{ bundle: Bundle; payload: Uint8Array; sig: Uint8Array; key: PublicKey }> {
  const signer = await signerOf('p256.pem');
  const payload = encodeSignStatement({ algorithm: 'sha256', hex: HEX }, {});
  const bundle = await signBundle(payload, signer);
  assert.ok(bundle.content.kind === 'dsse');
  return {
    bundle,
    payload,
    sig: bundle.content.envelope.signatures[0]?.sig ?? new Uint8Array(),
    key: signer.publicKey,
  };
}

function withEnvelope(bundle: Bundle, payloadType: string, payload: Uint8Array, ...sigs: Uint8Array[]): Bundle {
  return {
    ...bundle,
    content: { kind: 'dsse', envelope: { payloadType, payload, signatures: sigs.map((sig) => ({ sig })) } },
  };
}

describe('accepts what cosign sealed', () => {
  test('an image, with a bundle by 3.1.1', async () => {
    const check = await verify(only(attached('sign-key-3.1.1-bundle-referrers')), IMAGE, publicKey('cosign.pub'));
    assert.ok(check.kind === 'accepted' && check.content.kind === 'statement' && check.signer.kind === 'key');
    assert.equal(check.signer.key.hint, publicKey('cosign.pub').hint);
    assert.equal(check.scheme, 'ecdsa-p256-sha256');
    assert.equal(check.content.statement.predicateType, 'https://sigstore.dev/cosign/sign/v1');
  });

  test('an image with annotations', async () => {
    const check = await verify(only(attached('sign-annotations-3.1.1-bundle')), IMAGE, publicKey('cosign.pub'));
    assert.ok(check.kind === 'accepted' && check.content.kind === 'statement');
    assert.deepEqual(check.content.statement.subjects[0]?.annotations, { build: '42', env: 'prod', x: 'é<&>' });
  });

  const kinds = {
    p256: 'ecdsa-p256-sha256',
    p384: 'ecdsa-p384-sha384',
    p521: 'ecdsa-p521-sha512',
    ed25519: 'ed25519ph',
    rsa2048: 'rsa-pkcs1-sha256',
    rsa3072: 'rsa-pkcs1-sha256',
    rsa4096: 'rsa-pkcs1-sha256',
  };
  for (const [kind, scheme] of Object.entries(kinds)) {
    test(`an image and its attestation, with a key of type ${kind}`, async () => {
      const bundles = attached(`keytype-${kind}`);
      const types: string[] = [];
      for (const bundle of bundles) {
        const check = await verify(bundle, IMAGE, publicKey(`imp-${kind}.pub`));
        assert.ok(check.kind === 'accepted' && check.content.kind === 'statement', JSON.stringify(check));
        assert.equal(check.scheme, scheme);
        types.push(check.content.statement.predicateType);
      }
      assert.deepEqual(types.toSorted(), [
        'https://cosign.sigstore.dev/attestation/v1',
        'https://sigstore.dev/cosign/sign/v1',
      ]);
    });
    test(`a blob, with a key of type ${kind}`, async () => {
      const bundle = decodeBundle(readFileSync(join(golden, `keytype-${kind}/b3.sigstore.json`)), kind);
      const check = await verify(bundle, BLOB, publicKey(`imp-${kind}.pub`));
      assert.ok(check.kind === 'accepted' && check.content.kind === 'bytes', JSON.stringify(check));
    });
  }

  test('a blob, with a bundle by 2.5.0, which has white space', async () => {
    const bundle = decodeBundle(readFileSync(join(golden, 'blob-2.5.0/new.sigstore.json')), 'it');
    assert.equal((await verify(bundle, BLOB, publicKey('cosign.pub'))).kind, 'accepted');
  });

  test('a blob with a statement about it', async () => {
    const bundle = decodeBundle(readFileSync(join(golden, 'attest-blob/statement.sigstore.json')), 'it');
    assert.equal((await verify(bundle, BLOB, publicKey('cosign.pub'))).kind, 'accepted');
  });

  test('a bundle of a key with an entry in a log, without asking the log', async () => {
    const bundle = decodeBundle(readFileSync(join(golden, 'key-tlog-3.1.1-rekor2/b.json')), 'it');
    assert.equal(bundle.logEntries.length, 1);
    assert.equal((await verify(bundle, BLOB, publicKey('cosign.pub'))).kind, 'accepted');
    // nor does nonsense in a part that nobody signed hide the seal
    const nonsense = {
      ...bundle,
      logEntries: [{ logIndex: 0, canonicalizedBody: new Uint8Array() }],
      timestamps: [Buffer.from('x')],
    };
    assert.equal((await verify(nonsense, BLOB, publicKey('cosign.pub'))).kind, 'accepted');
  });
});

describe('accepts', () => {
  test('what it sealed itself, with a key of any kind, once it was written and read', async () => {
    for (const name of ['p256.pem', 'p384.pem', 'p521.pem', 'ed25519.pem', 'rsa2048.pem', 'rsa4096.pem']) {
      const signer = await signerOf(name);
      const bundle = await signBundle(encodeSignStatement({ algorithm: 'sha256', hex: HEX }, { a: 'b' }), signer);
      const check = await verify(decodeBundle(encodeBundle(bundle), name), IMAGE, signer.publicKey);
      assert.ok(check.kind === 'accepted' && check.content.kind === 'statement', name);
      assert.deepEqual(check.content.statement.subjects, [{ digest: { sha256: HEX }, annotations: { a: 'b' } }]);
    }
  });

  test('any of the expected keys, and says which', async () => {
    const { bundle, key } = await sealed();
    const others = [publicKey('wrong.pub'), publicKey('imp-rsa2048.pub')];
    for (const keys of [
      [...others, key],
      [key, ...others],
    ]) {
      const check = await verify(bundle, IMAGE, ...keys);
      assert.ok(check.kind === 'accepted' && check.signer.kind === 'key');
      assert.equal(check.signer.key, key);
    }
  });

  test('whatever key the bundle names, because nobody signed that', async () => {
    const { bundle, key } = await sealed();
    const materials: KeyMaterial[] = [
      { kind: 'public-key' },
      { kind: 'public-key', hint: publicKey('wrong.pub').hint },
      { kind: 'certificate', chain: [Buffer.from('nonsense')] },
    ];
    for (const material of materials) {
      assert.equal((await verify({ ...bundle, material }, IMAGE, publicKey('wrong.pub'), key)).kind, 'accepted');
    }
    assert.equal((await verify(only(attached('tamper-bundle-hint')), IMAGE, publicKey('cosign.pub'))).kind, 'accepted');
  });

  test('every media type of a bundle, because nobody signed that either', async () => {
    for (const name of ['tamper-bundle-mediatype-old03', 'tamper-bundle-mediatype-v01']) {
      assert.equal((await verify(only(attached(name)), IMAGE, publicKey('cosign.pub'))).kind, 'accepted', name);
    }
  });

  test('a subject by SHA-512, and the right one among others', async () => {
    const signer = await signerOf('p256.pem');
    const artifact: Artifact = { kind: 'digest', algorithm: 'sha512', hex: 'ab'.repeat(64) };
    const subject = [{ digest: { sha256: 'cd'.repeat(32) } }, { digest: { sha512: 'AB'.repeat(64), gitTree: '00' } }];
    const statement = { _type: 'https://in-toto.io/Statement/v1', subject, predicateType: 'p' };
    const bundle = await signBundle(Buffer.from(JSON.stringify(statement)), signer);
    assert.equal((await verify(bundle, artifact, signer.publicKey)).kind, 'accepted');
  });

  test('a signature over bytes, as older seals are', async () => {
    const payload = readdirSync(join(golden, 'sign-key-2.5.0-legacy/layout/blobs/sha256'))
      .map((hex) => readFileSync(join(golden, 'sign-key-2.5.0-legacy/layout/blobs/sha256', hex)))
      .find((bytes) => bytes.subarray(0, 11).toString() === '{"critical"');
    const manifest = readFileSync(join(golden, `sign-key-2.5.0-legacy/manifests/sha256-${HEX}.sig.json`), 'utf8');
    const signature = decodeBase64(
      JSON.parse(manifest).layers[0].annotations['dev.cosignproject.cosign/signature'],
      'it',
    );
    const bundle: Bundle = {
      mediaType: '',
      material: { kind: 'public-key' },
      content: { kind: 'message', signature },
      logEntries: [],
      timestamps: [],
    };
    const bytes = payload ?? new Uint8Array();
    assert.equal((await verify(bundle, { kind: 'bytes', bytes }, publicKey('cosign.pub'))).kind, 'accepted');
    const flipped = bytes.map((byte, index) => (index === 40 ? byte ^ 1 : byte));
    assert.equal(
      rejection(await verify(bundle, { kind: 'bytes', bytes: flipped }, publicKey('cosign.pub'))).code,
      'signature-invalid',
    );
  });
});

describe('rejects what was tampered with', () => {
  const tampered = {
    'tamper-bundle-subject': 'signature-invalid',
    'tamper-bundle-predicate': 'signature-invalid',
    'tamper-bundle-sig': 'signature-invalid',
    'tamper-bundle-nosig': 'signature-count',
  };
  for (const [name, code] of Object.entries(tampered)) {
    test(name, async () => {
      const found = rejection(await verify(only(attached(name)), IMAGE, publicKey('cosign.pub')));
      assert.equal(found.code, code);
    });
  }
  for (const name of ['tamper-bundle-garbage', 'tamper-bundle-unknown-field']) {
    test(name, () => assert.throws(() => attached(name), /./));
  }
  for (const name of ['tamper-legacy-payload-digest', 'tamper-legacy-payload-ref', 'tamper-legacy-signature']) {
    test(name, async () => {
      const manifest = JSON.parse(readFileSync(join(golden, name, `manifests/sha256-${HEX}.sig.json`), 'utf8'));
      const [{ digest, annotations }] = manifest.layers;
      const bytes = readFileSync(join(golden, name, 'layout/blobs', digest.replace(':', '/')));
      const signature = decodeBase64(annotations['dev.cosignproject.cosign/signature'], 'it');
      const bundle: Bundle = {
        ...(await sealed()).bundle,
        material: { kind: 'public-key' },
        content: { kind: 'message', signature },
      };
      assert.equal(
        rejection(await verify(bundle, { kind: 'bytes', bytes }, publicKey('cosign.pub'))).code,
        'signature-invalid',
      );
    });
  }
});

describe('rejects', () => {
  test("a seal by another key, and names the bundle's key and the expected ones", async () => {
    const { bundle, key } = await sealed();
    const [one, two] = [publicKey('wrong.pub'), publicKey('imp-ed25519.pub')];
    assert.deepEqual(rejection(await verify(bundle, IMAGE, one, two)), {
      code: 'signature-invalid',
      found: `a signature of a bundle that names another key, ${key.hint}`,
      expected: `a signature by key ${one.hint} or key ${two.hint}`,
    });
  });

  test('a signature that does not hold though the bundle names the right key', async () => {
    const { bundle, payload, sig, key } = await sealed();
    const broken = withEnvelope(
      bundle,
      IN_TOTO_PAYLOAD_TYPE,
      payload,
      sig.map((byte, index) => (index === 20 ? byte ^ 1 : byte)),
    );
    const { code, found } = rejection(await verify(broken, IMAGE, key));
    assert.deepEqual(
      [code, found],
      ['signature-invalid', `a signature that does not hold, of a bundle that names the expected key ${key.hint}`],
    );
  });

  test('everything if no key is expected', async () => {
    const { bundle } = await sealed();
    const { code, expected } = rejection(await verify(bundle, IMAGE));
    assert.deepEqual([code, expected], ['signature-invalid', 'a signature by a key, and none was given']);
  });

  test('the signature of another payload', async () => {
    const { bundle, sig, key } = await sealed();
    const other = encodeSignStatement({ algorithm: 'sha256', hex: 'ab'.repeat(32) }, {});
    const artifact: Artifact = { kind: 'digest', algorithm: 'sha256', hex: 'ab'.repeat(32) };
    assert.equal(
      rejection(await verify(withEnvelope(bundle, IN_TOTO_PAYLOAD_TYPE, other, sig), artifact, key)).code,
      'signature-invalid',
    );
  });

  test('the seal of another image, moved here', async () => {
    const { bundle, key } = await sealed();
    const artifact: Artifact = { kind: 'digest', algorithm: 'sha256', hex: 'ab'.repeat(32) };
    assert.deepEqual(rejection(await verify(bundle, artifact, key)), {
      code: 'subject-mismatch',
      found: `a seal of sha256:${HEX}`,
      expected: `a seal of sha256:${'ab'.repeat(32)}`,
    });
  });

  test('a digest of the same value under another algorithm', async () => {
    const signer = await signerOf('p256.pem');
    for (const algorithm of ['sha512', 'sha3_256', 'constructor', '__proto__']) {
      const bundle = await signBundle(encodeSignStatement({ algorithm, hex: HEX }, {}), signer);
      assert.notEqual((await verify(bundle, IMAGE, signer.publicKey)).kind, 'accepted', algorithm);
    }
  });

  test('two signatures, even if both hold, and none', async () => {
    const { bundle, payload, sig, key } = await sealed();
    const twice = withEnvelope(bundle, IN_TOTO_PAYLOAD_TYPE, payload, sig, sig);
    assert.deepEqual(rejection(await verify(twice, IMAGE, key)), {
      code: 'signature-count',
      found: '2 signatures',
      expected: 'exactly one',
    });
    const none = withEnvelope(bundle, IN_TOTO_PAYLOAD_TYPE, payload);
    assert.deepEqual(rejection(await verify(none, IMAGE, key)), {
      code: 'signature-count',
      found: '0 signatures',
      expected: 'exactly one',
    });
  });

  test('another payload type, even if it was signed', async () => {
    const { bundle, payload } = await sealed();
    const signer = await signerOf('p256.pem');
    const sig = await signer.sign(preAuthEncoding('application/json', payload));
    const other = withEnvelope(bundle, 'application/json', payload, sig);
    assert.deepEqual(rejection(await verify(other, IMAGE, signer.publicKey)), {
      code: 'payload-type-unexpected',
      found: "'application/json'",
      expected: 'application/vnd.in-toto+json',
    });
  });

  test('a payload type that was changed to the right one', async () => {
    const { bundle, payload } = await sealed();
    const signer = await signerOf('p256.pem');
    const sig = await signer.sign(preAuthEncoding('application/json', payload));
    const other = withEnvelope(bundle, IN_TOTO_PAYLOAD_TYPE, payload, sig);
    assert.equal(rejection(await verify(other, IMAGE, signer.publicKey)).code, 'signature-invalid');
  });

  test('a signature over the payload without its type', async () => {
    const { bundle, payload } = await sealed();
    const signer = await signerOf('p256.pem');
    const bare = withEnvelope(bundle, IN_TOTO_PAYLOAD_TYPE, payload, await signer.sign(payload));
    assert.equal(rejection(await verify(bare, IMAGE, signer.publicKey)).code, 'signature-invalid');
  });

  test('a statement that is none, once its signature held', async () => {
    const signer = await signerOf('p256.pem');
    const { code, found } = rejection(
      await verify(await signBundle(Buffer.from('{"_type":1}'), signer), IMAGE, signer.publicKey),
    );
    assert.equal(code, 'statement-malformed');
    assert.match(found, /no in-toto statement/);
    const noJson = await signBundle(Buffer.from('\u001b[2J'), signer);
    assert.equal(rejection(await verify(noJson, IMAGE, signer.publicKey)).code, 'statement-malformed');
  });

  test('a statement that is none as unsigned, if nobody signed it', async () => {
    const bundle = await signBundle(Buffer.from('no statement'), await signerOf('p384.pem'));
    assert.equal(rejection(await verify(bundle, IMAGE, publicKey('cosign.pub'))).code, 'signature-invalid');
  });

  test('a statement with a thousand subjects too many, though it was signed', async () => {
    const signer = await signerOf('p256.pem');
    const subject = Array.from({ length: 2000 }, () => ({ digest: { sha256: HEX } }));
    const statement = { _type: 'https://in-toto.io/Statement/v1', subject, predicateType: 'p' };
    const bundle = await signBundle(Buffer.from(JSON.stringify(statement)), signer);
    assert.equal(rejection(await verify(bundle, IMAGE, signer.publicKey)).code, 'statement-malformed');
  });

  test('a seal by a certificate where a key was expected', async () => {
    const bundle = decodeBundle(readFileSync(join(golden, 'keyless-3.1.1-rekor1/att.sigstore.json')), 'it');
    const { code, found } = rejection(await verify(bundle, BLOB, publicKey('cosign.pub')));
    assert.deepEqual([code, found], ['certificate-material', 'a seal by a certificate']);
  });

  test('a blob of which the bundle names another digest', async () => {
    const bundle = decodeBundle(readFileSync(join(golden, 'blob-3.1.1/b.sigstore.json')), 'it');
    assert.ok(bundle.content.kind === 'message' && BLOB.kind === 'bytes');
    const digest = { algorithm: 'sha256', bytes: Buffer.alloc(32) } as const;
    const other: Bundle = { ...bundle, content: { ...bundle.content, digest } };
    assert.deepEqual(rejection(await verify(other, BLOB, publicKey('cosign.pub'))), {
      code: 'digest-mismatch',
      found: `a seal of sha256:${'00'.repeat(32)}`,
      expected: `a seal of sha256:${hash('sha256', BLOB.bytes, 'hex')}`,
    });
    const short: Bundle = {
      ...bundle,
      content: { ...bundle.content, digest: { algorithm: 'sha256', bytes: new Uint8Array() } },
    };
    assert.equal(rejection(await verify(short, BLOB, publicKey('cosign.pub'))).code, 'digest-mismatch');
  });

  test('another blob, though the bundle names its digest', async () => {
    const bundle = decodeBundle(readFileSync(join(golden, 'blob-3.1.1/b.sigstore.json')), 'it');
    assert.ok(bundle.content.kind === 'message');
    const bytes = Buffer.from('another blob');
    const digest = { algorithm: 'sha512', bytes: hash('sha512', bytes, 'buffer') } as const;
    const other: Bundle = { ...bundle, content: { ...bundle.content, digest } };
    assert.equal(
      rejection(await verify(other, { kind: 'bytes', bytes }, publicKey('cosign.pub'))).code,
      'signature-invalid',
    );
  });

  test('a blob by its digest, of which the bundle names another, or an algorithm that is not at hand', async () => {
    const bundle = decodeBundle(readFileSync(join(golden, 'blob-3.1.1/b.sigstore.json')), 'it');
    const key = publicKey('cosign.pub');
    assert.equal(rejection(await verify(bundle, IMAGE, key)).code, 'digest-mismatch');
    const artifact: Artifact = { kind: 'digest', algorithm: 'sha512', hex: 'ab'.repeat(64) };
    assert.equal(rejection(await verify(bundle, artifact, key)).code, 'artifact-missing');
  });

  test('a digest that is right, under a signature that is another’s', async () => {
    assert.ok(BLOB.kind === 'bytes');
    const bundle = decodeBundle(readFileSync(join(golden, 'blob-3.1.1/b.sigstore.json')), 'it');
    const artifact: Artifact = { kind: 'digest', algorithm: 'sha256', hex: hash('sha256', BLOB.bytes, 'hex') };
    assert.equal((await verify(bundle, artifact, publicKey('cosign.pub'))).kind, 'accepted');
    assert.equal(rejection(await verify(bundle, artifact, publicKey('wrong.pub'))).code, 'signature-invalid');
  });

  test('a blob of which only the digest is at hand, by a key that signs bytes', async () => {
    assert.ok(BLOB.kind === 'bytes');
    const bundle = decodeBundle(readFileSync(join(golden, 'blob-3.1.1/b.sigstore.json')), 'it');
    const artifact: Artifact = { kind: 'digest', algorithm: 'sha256', hex: hash('sha256', BLOB.bytes, 'hex') };
    const { code, expected } = rejection(await verify(bundle, artifact, publicKey('imp-ed25519.pub')));
    assert.equal(code, 'artifact-missing');
    assert.match(expected, /ed25519/);
  });

  test('a statement about the blob of which one digest is right and another wrong', async () => {
    assert.ok(BLOB.kind === 'bytes');
    const signer = await signerOf('p256.pem');
    const right = { sha256: hash('sha256', BLOB.bytes, 'hex') };
    const about = async (digest: object): Promise<SealCheck> => {
      const statement = { _type: 'https://in-toto.io/Statement/v1', subject: [{ digest }], predicateType: 'p' };
      return verify(await signBundle(Buffer.from(JSON.stringify(statement)), signer), BLOB, signer.publicKey);
    };
    assert.equal((await about({ ...right, gitBlob: '00' })).kind, 'accepted');
    assert.equal(rejection(await about({ ...right, sha512: '00'.repeat(64) })).code, 'subject-mismatch');
    assert.equal(rejection(await about({ gitBlob: '00' })).code, 'subject-mismatch');
  });

  test('in texts that are one line and fit to print, whatever stands in the bundle', async () => {
    const { bundle, payload, sig, key } = await sealed();
    const hint = `\u001b[31m\n${'x'.repeat(5000)}`;
    const named: Bundle = {
      ...withEnvelope(bundle, IN_TOTO_PAYLOAD_TYPE, payload, Buffer.of(1)),
      material: { kind: 'public-key', hint },
    };
    const typed = withEnvelope(bundle, `\u202e\n${'x'.repeat(5000)}`, payload, sig);
    const signer = await signerOf('p256.pem');
    const moved = await signBundle(
      encodeSignStatement({ algorithm: `\n${'x'.repeat(5000)}`, hex: '\u009b' }, {}),
      signer,
    );
    for (const hostile of [named, typed, moved]) {
      const { found } = rejection(await verify(hostile, IMAGE, key));
      assert.ok(found.length < 400 && !/[\p{C}\p{Zl}]/u.test(found), found);
    }
  });
});

test('seals what it was given, whatever the caller does with those bytes meanwhile', async () => {
  const signer = await signerOf('p256.pem');
  const payload = encodeSignStatement({ algorithm: 'sha256', hex: HEX }, {});
  const slow: Signer = {
    publicKey: signer.publicKey,
    sign: async (message) => {
      const copy = new Uint8Array(message);
      payload.fill(0);
      return signer.sign(copy);
    },
  };
  assert.equal((await verify(await signBundle(payload, slow), IMAGE, signer.publicKey)).kind, 'accepted');
});
