// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash, sign } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { encodeEnvelope, preAuthEncoding, type Envelope } from '../bundle/envelope.ts';
import type { InclusionProof, LogEntry } from '../bundle/log-entry.ts';
import { newTestKeys, newTestStack, type TestKeys } from '../certificate/authority.fixture.ts';
import type { Certificate } from '../certificate/certificate.ts';
import { generatePrivateKey, type PrivateKey } from '../key/private-key.ts';
import { KEY_ALGORITHMS } from '../key/public-key.ts';
import {
  defaultKeyDetails,
  encodeLogBody,
  type HashedRekordV2,
  type KeyDetails,
  type LogBody,
} from './canonical-body.ts';
import { INTEGRATED, newTestLog, newTestWitness, type TestLog } from './log.fixture.ts';
import { LOG_REJECTIONS, type LogRejectionCode } from './log-rejection.ts';
import type { LoggedSignature, SignedContent } from './logged-signature.ts';
import { decodeNote, encodeNote } from './note.ts';
import { encodePromise } from './promise.ts';
import { logEntryIdentity } from './transparency-log.ts';
import { verifyLogEntry, type LogEntryCheck, type LogEntryOptions } from './verify-entry.ts';

const ARTIFACT = Buffer.from('what was signed');
const ENVELOPE: Envelope = {
  payloadType: 'application/vnd.in-toto+json',
  payload: Buffer.from('{"_type":"https://in-toto.io/Statement/v1"}'),
  signatures: [],
};
const sha256 = (bytes: Uint8Array): { algorithm: 'sha256'; bytes: Uint8Array } => ({
  algorithm: 'sha256',
  bytes: hash('sha256', bytes, 'buffer'),
});

let v1: TestLog;
let v2: TestLog;
let signer: PrivateKey;
let keys: TestKeys;
let leaf: Certificate;
let signature: Uint8Array;
let pae: Uint8Array;
let envelopeSignature: Uint8Array;

before(async () => {
  [v1, v2, signer, keys] = await Promise.all([
    newTestLog(1),
    newTestLog(2),
    generatePrivateKey('ecdsa-p256'),
    newTestKeys(),
  ]);
  ({ leaf } = await newTestStack(keys));
  signature = sign('sha256', ARTIFACT, signer.object);
  pae = preAuthEncoding(ENVELOPE.payloadType, ENVELOPE.payload);
  envelopeSignature = sign('sha256', pae, keys.leaf.private.object);
});

/** What is held: a blob sealed by a key, or an envelope sealed by a certificate. */
function blob(content: SignedContent = { kind: 'bytes', bytes: ARTIFACT }): LoggedSignature {
  return { signature, verifier: { kind: 'public-key', key: signer.publicKey }, content };
}

function sealed(): LoggedSignature {
  const envelope = { ...ENVELOPE, signatures: [{ sig: envelopeSignature }] };
  return {
    signature: envelopeSignature,
    verifier: { kind: 'certificate', certificate: leaf },
    content: { kind: 'envelope', envelope },
  };
}

const P256 = 'PKIX_ECDSA_P256_SHA_256';

/** The entries that a log could have of these, one of each kind. */
const BODIES = {
  'hashedrekord 0.0.1': (): LogBody => ({
    kind: 'hashedrekord',
    version: '0.0.1',
    digest: sha256(ARTIFACT),
    signature,
    verifier: { kind: 'public-key', der: signer.publicKey.spki },
  }),
  'hashedrekord 0.0.1 of an envelope': (): LogBody => ({
    kind: 'hashedrekord',
    version: '0.0.1',
    digest: sha256(pae),
    signature: envelopeSignature,
    verifier: { kind: 'certificate', der: leaf.der, chain: [Buffer.from('above')] },
  }),
  'dsse 0.0.1': (): LogBody => ({
    kind: 'dsse',
    version: '0.0.1',
    envelopeHash: sha256(Buffer.from('in whatever spelling')),
    payloadHash: sha256(ENVELOPE.payload),
    signatures: [{ signature: envelopeSignature, verifier: { kind: 'certificate', der: leaf.der, chain: [] } }],
  }),
  'intoto 0.0.1': (): LogBody => ({
    kind: 'intoto',
    version: '0.0.1',
    envelopeHash: sha256(encodeEnvelope({ ...ENVELOPE, signatures: [{ sig: envelopeSignature }] })),
    payloadHash: sha256(ENVELOPE.payload),
    verifier: { kind: 'certificate', der: leaf.der, chain: [] },
  }),
  'intoto 0.0.2': (): LogBody => ({
    kind: 'intoto',
    version: '0.0.2',
    payloadType: ENVELOPE.payloadType,
    envelopeHash: sha256(Buffer.from('in whatever spelling')),
    payloadHash: sha256(ENVELOPE.payload),
    signatures: [{ signature: envelopeSignature, verifier: { kind: 'certificate', der: leaf.der, chain: [] } }],
  }),
  'hashedrekord 0.0.2': (): LogBody => ({
    kind: 'hashedrekord',
    version: '0.0.2',
    digest: sha256(ARTIFACT),
    signature,
    verifier: { kind: 'public-key', der: signer.publicKey.spki },
    keyDetails: P256,
  }),
  'hashedrekord 0.0.2 of an envelope': (): LogBody => ({
    kind: 'hashedrekord',
    version: '0.0.2',
    digest: sha256(pae),
    signature: envelopeSignature,
    verifier: { kind: 'certificate', der: leaf.der, chain: [] },
    keyDetails: P256,
  }),
  'dsse 0.0.2': (): LogBody => ({
    kind: 'dsse',
    version: '0.0.2',
    payloadHash: sha256(ENVELOPE.payload),
    signatures: [
      {
        signature: envelopeSignature,
        verifier: { kind: 'certificate', der: leaf.der, chain: [] },
        keyDetails: P256,
      },
    ],
  }),
} as const;
type Name = keyof typeof BODIES;
const NAMES = Object.keys(BODIES) as Name[];

const isV2 = (name: Name): boolean => name.includes('rekord 0.0.2') || name === 'dsse 0.0.2';
const logFor = (name: Name): TestLog => (isV2(name) ? v2 : v1);
const heldFor = (name: Name): LoggedSignature => (/rekord 0\.0\..$/.test(name) ? blob() : sealed());

function verify(
  entry: LogEntry,
  held: LoggedSignature,
  log: TestLog = v1,
  options: LogEntryOptions = {},
): LogEntryCheck {
  return verifyLogEntry(entry, held, [log.log], options);
}

function accepted(check: LogEntryCheck): Extract<LogEntryCheck, { kind: 'accepted' }> {
  assert.ok(check.kind === 'accepted', check.kind === 'rejected' ? JSON.stringify(check.rejection) : '');
  return check;
}

function rejected(check: LogEntryCheck, code: LogRejectionCode, pattern = /./): void {
  assert.ok(check.kind === 'rejected', `accepted, expected ${code}`);
  assert.equal(check.rejection.code, code, JSON.stringify(check.rejection));
  assert.match(`${check.rejection.found} | ${check.rejection.expected}`, pattern);
  assert.ok(!/[\n\x00]/.test(check.rejection.found + check.rejection.expected));
}

/** The entry with something of its proof otherwise. */
function withProof(entry: LogEntry, change: Partial<InclusionProof>): LogEntry {
  assert.ok(entry.inclusionProof !== undefined);
  return { ...entry, inclusionProof: { ...entry.inclusionProof, ...change } };
}

function without(entry: LogEntry, ...names: (keyof LogEntry)[]): LogEntry {
  return Object.fromEntries(
    Object.entries(entry).filter(([name]) => !names.some((left) => left === name)),
  ) as unknown as LogEntry;
}

describe('accepts an entry', () => {
  for (const name of NAMES)
    test(`of ${name}`, async () => {
      const entry = await logFor(name).enter(BODIES[name]());
      const check = accepted(verify(entry, heldFor(name), logFor(name)));
      assert.equal(check.log, logFor(name).log);
      assert.equal(`${check.body.kind} ${check.body.version}`, name.replace(' of an envelope', ''));
      assert.equal(check.index, entry.logIndex);
      assert.deepEqual([check.promised, check.included], [!isV2(name), true]);
      assert.deepEqual(check.integratedTime, isV2(name) ? undefined : new Date(INTEGRATED * 1000));
    });

  test('with a promise alone', async () => {
    const check = accepted(verify(without(await v1.enter(BODIES['dsse 0.0.1']()), 'inclusionProof'), sealed()));
    assert.deepEqual([check.promised, check.included], [true, false]);
    assert.ok(check.integratedTime !== undefined);
  });

  test('with a promise, and a proof to a root that nobody signed, which shows nothing', async () => {
    const entry = await v1.enter(BODIES['dsse 0.0.1']());
    const { checkpoint: _, ...proof } = entry.inclusionProof ?? assert.fail();
    const check = accepted(verify({ ...entry, inclusionProof: proof }, sealed()));
    assert.deepEqual([check.promised, check.included], [true, false]);
  });

  test('with a proof alone, and then takes no time from it, and no place but that of the proof', async () => {
    const entry = without(await v1.enter(BODIES['dsse 0.0.1']()), 'signedEntryTimestamp');
    const check = accepted(verify(entry, sealed()));
    assert.equal(check.integratedTime, undefined);
    assert.equal(check.index, entry.inclusionProof?.logIndex);
    const empty = { ...entry, signedEntryTimestamp: new Uint8Array() };
    assert.equal(accepted(verify(empty, sealed())).promised, false);
  });

  test('of which the artifact is known by its digest only', async () => {
    const entry = await v1.enter(BODIES['hashedrekord 0.0.1']());
    accepted(verify(entry, blob({ kind: 'digest', digest: sha256(ARTIFACT) })));
  });

  test('without its kind, as cosign 2 keeps them, and without its root', async () => {
    const entry = await v1.enter(BODIES['hashedrekord 0.0.1']());
    accepted(verify(without(entry, 'kindVersion'), blob()));
    accepted(verify(withProof(entry, { rootHash: new Uint8Array() }), blob()));
  });

  test('of Rekor v2 without its body, which follows from the signature', async () => {
    for (const name of ['hashedrekord 0.0.2', 'hashedrekord 0.0.2 of an envelope'] as const) {
      const entry = await v2.enter(BODIES[name]());
      accepted(verify({ ...entry, canonicalizedBody: new Uint8Array() }, heldFor(name), v2));
    }
  });

  test('of intoto 0.0.1 by the very envelope that was sent', async () => {
    const document = Buffer.from('{ "payload": "spelt otherwise" }');
    const body = { ...BODIES['intoto 0.0.1'](), envelopeHash: sha256(document) } as LogBody;
    const held = sealed();
    assert.ok(held.content.kind === 'envelope');
    const entry = await v1.enter(body);
    accepted(verify(entry, { ...held, content: { ...held.content, document } }));
    rejected(verify(entry, held), 'log-entry-digest-mismatch');
  });

  for (const algorithm of KEY_ALGORITHMS.filter((one) => !/-[34]0/.test(one)))
    test(`of logs with a key of ${algorithm}`, async () => {
      for (const [version, name] of [
        [1, 'hashedrekord 0.0.1'],
        [2, 'hashedrekord 0.0.2'],
      ] as const) {
        const log = await newTestLog(version, algorithm);
        accepted(verify(await log.enter(BODIES[name]()), blob(), log));
      }
    });

  for (const algorithm of KEY_ALGORITHMS.filter((one) => !/-[34]0/.test(one)))
    test(`of Rekor v2 by a key of ${algorithm}, rebuilt as every client does`, async () => {
      const key = await generatePrivateKey(algorithm);
      const { keyDetails, digest } = defaultKeyDetails(algorithm) ?? assert.fail();
      const body: HashedRekordV2 = {
        kind: 'hashedrekord',
        version: '0.0.2',
        digest: { algorithm: digest, bytes: hash(digest, ARTIFACT, 'buffer') },
        signature: Buffer.from('some signature'),
        verifier: { kind: 'public-key', der: key.publicKey.spki },
        keyDetails,
      };
      const held: LoggedSignature = {
        signature: body.signature,
        verifier: { kind: 'public-key', key: key.publicKey },
        content: { kind: 'bytes', bytes: ARTIFACT },
      };
      const entry = await v2.enter(body);
      accepted(verify(entry, held, v2));
      accepted(verify({ ...entry, canonicalizedBody: new Uint8Array() }, held, v2));
    });

  test('under a checkpoint with further lines', async () => {
    accepted(verify(await v1.enter(BODIES['hashedrekord 0.0.1'](), { extensions: ['Timestamp: 1678'] }), blob()));
  });

  for (const [name, log, held] of [
    ['hashedrekord 0.0.1', () => v1, blob],
    ['hashedrekord 0.0.2', () => v2, blob],
  ] as const)
    test(`of ${name} under a checkpoint with signatures of strangers, and one by the log that does not hold`, async () => {
      const entry = await log().enter(BODIES[name]());
      const { text, signatures } = decodeNote(entry.inclusionProof?.checkpoint ?? assert.fail(), 'it');
      const [line = assert.fail()] = signatures;
      const strange = [
        { ...line, signature: Buffer.alloc(64) },
        { ...line, name: 'other.example', keyId: Buffer.from('abcd') },
        { ...line, keyId: Buffer.from('abcd') },
      ];
      const checkpoint = encodeNote({ text, signatures: [...strange, line, ...strange] });
      accepted(verify(withProof(entry, { checkpoint }), held(), log()));
      const alone = encodeNote({ text, signatures: strange });
      rejected(verify(withProof(entry, { checkpoint: alone }), held(), log()), 'log-checkpoint-signature-invalid');
    });

  test('and names the witnesses that have seen it, of those that were asked for', async () => {
    const entry = await v2.enter(BODIES['hashedrekord 0.0.2']());
    const { text, signatures } = decodeNote(entry.inclusionProof?.checkpoint ?? assert.fail(), 'it');
    const [seen, unseen] = [newTestWitness('seen.example'), newTestWitness('unseen.example')];
    const cosigned = seen.cosign(text, INTEGRATED + 1);
    const checkpoint = encodeNote({ text, signatures: [...signatures, cosigned] });
    const witnesses = [unseen.key, seen.key];
    const check = verify(withProof(entry, { checkpoint }), blob(), v2, { witnesses });
    assert.deepEqual(accepted(check).witnesses, [{ name: 'seen.example', time: new Date((INTEGRATED + 1) * 1000) }]);
    assert.deepEqual(accepted(verify(withProof(entry, { checkpoint }), blob(), v2)).witnesses, []);
  });

  test('of Rekor v1 under a checkpoint by the name of the log alone', async () => {
    accepted(verify(await v1.enter(BODIES['hashedrekord 0.0.1'](), { origin: 'log.example' }), blob()));
  });
});

describe('rejects an entry that was made for another', () => {
  test('signature (CVE-2022-23649, CVE-2026-22703)', async () => {
    for (const name of NAMES) {
      if (name === 'intoto 0.0.1') continue; // has none: see the next
      const entry = await logFor(name).enter(BODIES[name]());
      const held = { ...heldFor(name), signature: Buffer.from('another') };
      rejected(verify(entry, held, logFor(name)), 'log-entry-signature-mismatch', /an entry of the signature/);
    }
  });

  test('signature, where the entry has only the hash of the envelope', async () => {
    const entry = await v1.enter(BODIES['intoto 0.0.1']());
    const envelope = { ...ENVELOPE, signatures: [{ sig: Buffer.from('another') }] };
    const held = { ...sealed(), content: { kind: 'envelope', envelope } } as const;
    rejected(verify(entry, held), 'log-entry-digest-mismatch');
  });

  test('key or certificate', async () => {
    const other = await generatePrivateKey('ecdsa-p256');
    const { leaf: renewed } = await newTestStack(keys);
    assert.ok(Buffer.compare(renewed.der, leaf.der) !== 0, 'a certificate of the same key, and not the same');
    for (const name of NAMES) {
      const entry = await logFor(name).enter(BODIES[name]());
      const held = heldFor(name);
      for (const verifier of [
        { kind: 'public-key', key: other.publicKey },
        { kind: 'certificate', certificate: renewed },
      ] as const)
        rejected(verify(entry, { ...held, verifier }, logFor(name)), 'log-entry-key-mismatch', /an entry of the/);
    }
  });

  test('the key of the certificate, where the entry has the certificate and the other way round', async () => {
    const key = { kind: 'public-key', key: keys.leaf.private.publicKey } as const;
    rejected(verify(await v1.enter(BODIES['dsse 0.0.1']()), { ...sealed(), verifier: key }), 'log-entry-key-mismatch');
    const body = {
      ...BODIES['hashedrekord 0.0.1'](),
      verifier: { kind: 'public-key', der: keys.leaf.private.publicKey.spki },
    };
    const held = { ...blob(), verifier: { kind: 'certificate', certificate: leaf } } as const;
    rejected(verify(await v1.enter(body as LogBody), held), 'log-entry-key-mismatch');
    const mislabelled = { ...body, verifier: { kind: 'public-key', der: leaf.der } };
    rejected(verify(await v1.enter(mislabelled as LogBody), held), 'log-entry-key-mismatch');
  });

  test('artifact or payload', async () => {
    for (const name of NAMES) {
      const entry = await logFor(name).enter(BODIES[name]());
      const held = heldFor(name);
      const content: SignedContent =
        held.content.kind === 'envelope'
          ? { kind: 'envelope', envelope: { ...held.content.envelope, payload: Buffer.from('{}') } }
          : { kind: 'bytes', bytes: Buffer.from('other') };
      rejected(verify(entry, { ...held, content }, logFor(name)), 'log-entry-digest-mismatch', /an entry of sha256:/);
    }
  });

  test('kind of content: an envelope for an artifact', async () => {
    for (const name of ['dsse 0.0.1', 'intoto 0.0.1', 'intoto 0.0.2', 'dsse 0.0.2'] as const) {
      const held = { ...sealed(), content: { kind: 'bytes', bytes: ENVELOPE.payload } } as const;
      rejected(
        verify(await logFor(name).enter(BODIES[name]()), held, logFor(name)),
        'log-entry-digest-mismatch',
        /envelope/,
      );
    }
  });

  test('payload type', async () => {
    const body = { ...BODIES['intoto 0.0.2'](), payloadType: 'text/plain' } as LogBody;
    rejected(verify(await v1.enter(body), sealed()), 'log-entry-digest-mismatch', /text\/plain/);
  });

  test('of two signatures, of which one is ours', async () => {
    for (const name of ['dsse 0.0.1', 'intoto 0.0.2', 'dsse 0.0.2'] as const) {
      const body = BODIES[name]();
      assert.ok('signatures' in body);
      const twice = { ...body, signatures: [...body.signatures, ...body.signatures] } as LogBody;
      rejected(
        verify(await logFor(name).enter(twice), sealed(), logFor(name)),
        'log-entry-signature-mismatch',
        /2 signatures/,
      );
    }
  });

  test('digest algorithm, where only one is known', async () => {
    const digest = { algorithm: 'sha512', bytes: hash('sha512', ARTIFACT, 'buffer') } as const;
    const entry = await v1.enter(BODIES['hashedrekord 0.0.1']());
    rejected(verify(entry, blob({ kind: 'digest', digest })), 'log-entry-digest-unknown', /sha256:.*sha512:/);
  });

  test('way of signing with the same key', async () => {
    const keyDetails = 'PKIX_ECDSA_P384_SHA_384';
    const body = { ...BODIES['hashedrekord 0.0.2'](), keyDetails } as LogBody;
    rejected(verify(await v2.enter(body), blob(), v2), 'log-entry-key-mismatch', /PKIX_ECDSA_P384_SHA_384/);
    const dsse = BODIES['dsse 0.0.2']();
    assert.ok('signatures' in dsse);
    const changed = { ...dsse, signatures: dsse.signatures.map((one) => ({ ...one, keyDetails })) } as LogBody;
    rejected(verify(await v2.enter(changed), sealed(), v2), 'log-entry-key-mismatch', /PKIX_ECDSA_P384_SHA_384/);
  });

  test('way of signing, but for Ed25519, which signs envelopes in both', async () => {
    const { publicKey } = await generatePrivateKey('ed25519');
    const verifier = { kind: 'public-key', key: publicKey } as const;
    const dsse = (keyDetails: KeyDetails): LogBody => ({
      kind: 'dsse',
      version: '0.0.2',
      payloadHash: sha256(ENVELOPE.payload),
      signatures: [{ signature: envelopeSignature, verifier: { kind: 'public-key', der: publicKey.spki }, keyDetails }],
    });
    for (const keyDetails of ['PKIX_ED25519', 'PKIX_ED25519_PH'] as const)
      accepted(verify(await v2.enter(dsse(keyDetails)), { ...sealed(), verifier }, v2));
    rejected(verify(await v2.enter(dsse(P256)), { ...sealed(), verifier }, v2), 'log-entry-key-mismatch');
    const hashed: LogBody = {
      kind: 'hashedrekord',
      version: '0.0.2',
      digest: { algorithm: 'sha512', bytes: hash('sha512', pae, 'buffer') },
      signature: envelopeSignature,
      verifier: { kind: 'public-key', der: publicKey.spki },
      keyDetails: 'PKIX_ED25519',
    };
    rejected(
      verify(await v2.enter(hashed), { ...sealed(), verifier }, v2),
      'log-entry-key-mismatch',
      /PKIX_ED25519_PH/,
    );
  });

  test('payload, where the hash of the envelope is right', async () => {
    const body = { ...BODIES['intoto 0.0.1'](), payloadHash: sha256(Buffer.from('other')) } as LogBody;
    rejected(verify(await v1.enter(body), sealed()), 'log-entry-digest-mismatch');
  });
});

describe('rejects an entry whose body', () => {
  test('says another kind or version than the entry', async () => {
    const entry = await v1.enter(BODIES['hashedrekord 0.0.1']());
    for (const kindVersion of [
      { kind: 'hashedrekord', version: '0.0.2' },
      { kind: 'dsse', version: '0.0.1' },
      { kind: '', version: '' },
    ])
      rejected(verify({ ...entry, kindVersion }, blob()), 'log-entry-kind-mismatch');
  });

  test('is of a kind that is not read', async () => {
    const body = Buffer.from('{"apiVersion":"0.0.1","kind":"rekord","spec":{}}');
    rejected(verify(await v1.enter(body), blob()), 'log-entry-unsupported', /rekord 0\.0\.1/);
  });

  test('cannot be read', async () => {
    for (const body of ['{}', 'no json', '{"apiVersion":"0.0.1","kind":"dsse","spec":{}}'])
      rejected(verify(await v1.enter(Buffer.from(body)), blob()), 'log-entry-malformed');
  });

  test('is not the one that clients rebuild, although it says the same', async () => {
    const text = Buffer.from(encodeLogBody(BODIES['hashedrekord 0.0.2']())).toString();
    const entry = {
      ...(await v2.enter(Buffer.from(`${text} `))),
      kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
    };
    rejected(verify(entry, blob(), v2), 'log-entry-malformed', /another spelling/);
  });

  test('is missing, and cannot be rebuilt', async () => {
    const empty = { canonicalizedBody: new Uint8Array() };
    rejected(
      verify({ ...(await v1.enter(BODIES['dsse 0.0.1']())), ...empty }, sealed()),
      'log-entry-malformed',
      /no body/,
    );
    rejected(
      verify({ ...(await v2.enter(BODIES['dsse 0.0.2']())), ...empty }, sealed(), v2),
      'log-entry-malformed',
      /no body/,
    );
    const entry = { ...(await v2.enter(BODIES['hashedrekord 0.0.2']())), ...empty };
    rejected(verify(without(entry, 'kindVersion'), blob(), v2), 'log-entry-malformed', /no body/);
    const digest = { algorithm: 'sha512', bytes: hash('sha512', ARTIFACT, 'buffer') } as const;
    rejected(verify(entry, blob({ kind: 'digest', digest }), v2), 'log-entry-malformed', /no body/);
  });

  test('belongs to another version of the log than it is known to be', async () => {
    const entry = await v1.enter(BODIES['hashedrekord 0.0.1']());
    rejected(
      verifyLogEntry(entry, blob(), [{ ...v1.log, majorVersion: 2 }]),
      'log-entry-unsupported',
      /an entry of Rekor v2/,
    );
    accepted(verifyLogEntry(entry, blob(), [{ ...v1.log, majorVersion: 1 }]));
  });
});

describe('rejects an entry of a log', () => {
  test('that nobody trusts, or that it does not name', async () => {
    const entry = await v1.enter(BODIES['hashedrekord 0.0.1']());
    rejected(verify(entry, blob(), v2), 'log-unknown');
    rejected(verifyLogEntry(entry, blob(), []), 'log-unknown', /none is given/);
    rejected(verify(without(entry, 'logKeyId'), blob()), 'log-unknown', /no log/);
    rejected(verify({ ...entry, logKeyId: v1.log.logId.subarray(0, 4) }, blob()), 'log-unknown');
  });

  test('whose key was not trusted when it took the entry', async () => {
    const entry = await v1.enter(BODIES['hashedrekord 0.0.1']());
    const at = new Date(INTEGRATED * 1000);
    const early = new Date(INTEGRATED * 1000 - 1000);
    const late = new Date(INTEGRATED * 1000 + 1000);
    const during = (start: Date, end?: Date): LogEntryCheck =>
      verifyLogEntry(entry, blob(), [{ ...v1.log, validFor: { start, ...(end === undefined ? {} : { end }) } }]);
    rejected(during(late), 'log-not-trusted', /logged at 2026-06-01T00:05:00/);
    rejected(during(new Date(0), early), 'log-not-trusted');
    rejected(during(new Date(Number.NaN)), 'log-not-trusted');
    accepted(during(at, at)); // both ends belong to it
  });

  test('that is listed twice, and accepts it in either period', async () => {
    const entry = await v1.enter(BODIES['hashedrekord 0.0.1']());
    const before2026 = { start: new Date(0), end: new Date('2026-01-01') };
    const after2026 = { start: new Date('2026-01-01') };
    const listed = [before2026, after2026].map((validFor) => ({ ...v1.log, validFor }));
    assert.equal(accepted(verifyLogEntry(entry, blob(), listed)).log, listed[1]);
    rejected(
      verifyLogEntry(
        entry,
        blob(),
        [before2026, before2026].map((validFor) => ({ ...v1.log, validFor })),
      ),
      'log-not-trusted',
    );
  });

  test('with a retired key, which could make entries for new signatures if they had no other time', async () => {
    const entry = await v2.enter(BODIES['hashedrekord 0.0.2']());
    const log = { ...v2.log, validFor: { start: new Date('2025-01-01'), end: new Date('2026-01-01') } };
    accepted(verifyLogEntry(entry, blob(), [log]));
    accepted(verifyLogEntry(entry, blob(), [log], { times: [new Date('2025-06-01')] }));
    const times = [new Date('2025-06-01'), new Date('2026-06-01')];
    rejected(verifyLogEntry(entry, blob(), [log], { times }), 'log-not-trusted', /2026-06-01/);
  });
});

describe('rejects a promise', () => {
  test('of another time, place, body or log, or by another key', async () => {
    const entry = await v1.enter(BODIES['hashedrekord 0.0.1']());
    for (const change of [
      { integratedTime: INTEGRATED + 1 },
      { logIndex: entry.logIndex + 1 },
      { signedEntryTimestamp: (await v1.enter(BODIES['dsse 0.0.1']())).signedEntryTimestamp ?? assert.fail() },
      { signedEntryTimestamp: Buffer.from('3006020101020101', 'hex') },
    ])
      rejected(verify({ ...entry, ...change }, blob()), 'log-promise-invalid', /does not hold/);
    const { publicKey } = await newTestLog(1).then(({ log }) => log);
    rejected(verifyLogEntry(entry, blob(), [{ ...v1.log, publicKey }]), 'log-promise-invalid');
  });

  test('without a time, even if the log signed one of 1970', async () => {
    const entry = await v1.enter(BODIES['hashedrekord 0.0.1']());
    const { logKeyId = assert.fail(), logIndex, canonicalizedBody: body } = entry;
    const promise = encodePromise({ body, integratedTime: 0, logId: logKeyId, logIndex });
    const signedEntryTimestamp = sign('sha256', promise, v1.key.object);
    rejected(
      verify({ ...without(entry, 'integratedTime'), signedEntryTimestamp }, blob()),
      'log-promise-invalid',
      /no time/,
    );
  });

  test('that does not hold, although the proof does', async () => {
    const entry = { ...(await v1.enter(BODIES['hashedrekord 0.0.1']())), signedEntryTimestamp: Buffer.from('x') };
    rejected(verify(entry, blob()), 'log-promise-invalid');
  });

  test('of Rekor v2, which makes none', async () => {
    const entry = await v2.enter(BODIES['hashedrekord 0.0.2']());
    const { logKeyId = assert.fail(), logIndex, canonicalizedBody: body } = entry;
    const promise = encodePromise({ body, integratedTime: INTEGRATED, logId: logKeyId, logIndex });
    const signedEntryTimestamp = sign(null, promise, v2.key.object);
    rejected(
      verify({ ...entry, integratedTime: INTEGRATED, signedEntryTimestamp }, blob(), v2),
      'log-promise-unexpected',
    );
  });
});

describe('rejects a proof', () => {
  test('that is not there, with no promise either', async () => {
    const entry = without(await v1.enter(BODIES['hashedrekord 0.0.1']()), 'signedEntryTimestamp');
    rejected(verify(without(entry, 'inclusionProof'), blob()), 'log-evidence-missing', /neither a promise nor a proof/);
    const { checkpoint: _, ...proof } = entry.inclusionProof ?? assert.fail();
    rejected(verify({ ...entry, inclusionProof: proof }, blob()), 'log-evidence-missing', /without a checkpoint/);
    rejected(
      verify({ ...entry, inclusionProof: proof, signedEntryTimestamp: new Uint8Array() }, blob()),
      'log-evidence-missing',
    );
    const second = await v2.enter(BODIES['hashedrekord 0.0.2']());
    rejected(verify(without(second, 'inclusionProof'), blob(), v2), 'log-evidence-missing', /hashedrekord 0\.0\.2/);
  });

  test('of another entry, place, size, path or root, although the promise holds', async () => {
    const entry = await v1.enter(BODIES['hashedrekord 0.0.1']());
    const { logIndex, treeSize, hashes, rootHash } = entry.inclusionProof ?? assert.fail();
    for (const change of [
      { logIndex: logIndex + 1 },
      { logIndex: treeSize },
      { treeSize: treeSize * 64 },
      { treeSize: 0 },
      { hashes: hashes.slice(1) },
      { hashes: [...hashes, rootHash] },
      { hashes: hashes.with(0, rootHash) },
      { hashes: hashes.with(0, rootHash.subarray(1)) },
      { rootHash: hashes[0] ?? assert.fail() },
    ])
      rejected(verify(withProof(entry, change), blob()), 'log-proof-invalid', /a proof of/);
    const other = await v1.enter(BODIES['dsse 0.0.1']());
    rejected(verify({ ...entry, inclusionProof: other.inclusionProof ?? assert.fail() }, blob()), 'log-proof-invalid');
  });

  test('of Rekor v2 at another place than the entry says', async () => {
    const entry = await v2.enter(BODIES['hashedrekord 0.0.2']());
    rejected(verify({ ...entry, logIndex: entry.logIndex + 1 }, blob(), v2), 'log-entry-index-mismatch');
  });
});

describe('rejects a checkpoint', () => {
  for (const [version, name] of [
    [1, 'hashedrekord 0.0.1'],
    [2, 'hashedrekord 0.0.2'],
  ] as const) {
    const log = (): TestLog => (version === 1 ? v1 : v2);

    test(`of Rekor v${version} that cannot be read`, async () => {
      const entry = await log().enter(BODIES[name]());
      const note = entry.inclusionProof?.checkpoint ?? assert.fail();
      for (const checkpoint of [
        '',
        'text',
        note.slice(0, -1),
        note.replace('\n\n', '\n'),
        note.replace(/\n\d+\n/, '\n-1\n'),
      ])
        rejected(verify(withProof(entry, { checkpoint }), blob(), log()), 'log-checkpoint-malformed');
    });

    test(`of Rekor v${version} of another tree, although the log signed it`, async () => {
      for (const change of [{ size: 1_000_000 }, { root: Buffer.alloc(32) }]) {
        const entry = await log().enter(BODIES[name](), change);
        rejected(verify(entry, blob(), log()), 'log-checkpoint-mismatch');
      }
    });

    test(`of Rekor v${version} by another key`, async () => {
      const signedBy = await generatePrivateKey(version === 1 ? 'ecdsa-p256' : 'ed25519');
      const entry = await log().enter(BODIES[name](), { signedBy });
      rejected(verify(entry, blob(), log()), 'log-checkpoint-signature-invalid');
    });

    test(`of Rekor v${version} with one octet changed`, async () => {
      const entry = await log().enter(BODIES[name](), { extensions: ['more'] });
      const checkpoint = entry.inclusionProof?.checkpoint?.replace('\nmore\n', '\nless\n') ?? assert.fail();
      rejected(verify(withProof(entry, { checkpoint }), blob(), log()), 'log-checkpoint-signature-invalid');
    });

    test(`of Rekor v${version} whose signature has another key id`, async () => {
      const entry = await log().enter(BODIES[name]());
      const checkpoint = entry.inclusionProof?.checkpoint?.replace(/(— \S+ )..../, '$1AAAA') ?? assert.fail();
      rejected(verify(withProof(entry, { checkpoint }), blob(), log()), 'log-checkpoint-signature-invalid');
    });
  }

  test('of another log by the same key', async () => {
    const entry = await v2.enter(BODIES['hashedrekord 0.0.2'](), { origin: 'other.example' });
    rejected(verify(entry, blob(), v2), 'log-checkpoint-origin', /'other\.example' \| 'log\.example'/);
    rejected(
      verify(await v1.enter(BODIES['hashedrekord 0.0.1'](), { origin: 'other.example' }), blob()),
      'log-checkpoint-origin',
      /or a host and a number/,
    );
    // The form of Rekor v1 is none of v2, and an address without a host has no origin.
    const numbered = await v2.enter(BODIES['hashedrekord 0.0.2'](), { origin: 'log.example - 42' });
    rejected(verify(numbered, blob(), v2), 'log-checkpoint-origin');
    const good = await v2.enter(BODIES['hashedrekord 0.0.2']());
    rejected(
      verifyLogEntry(good, blob(), [{ ...v2.log, baseUrl: 'log.example:3000/rekor' }]),
      'log-checkpoint-origin',
      /it has none/,
    );
  });

  test('of Rekor v2 signed under another name', async () => {
    const entry = await v2.enter(BODIES['hashedrekord 0.0.2'](), { signer: 'other.example' });
    rejected(verify(entry, blob(), v2), 'log-checkpoint-signature-invalid', /other\.example/);
    // The id of a key of ECDSA does not depend on the name.
    const ecdsa = await newTestLog(2, 'ecdsa-p256');
    const renamed = await ecdsa.enter(BODIES['hashedrekord 0.0.2'](), { signer: 'other.example' });
    rejected(verify(renamed, blob(), ecdsa), 'log-checkpoint-signature-invalid', /other\.example/);
  });
});

test('reasons come in the order in which they are checked, so that the nearest miss is the last', () => {
  assert.equal(LOG_REJECTIONS[0], 'log-unknown');
  assert.equal(LOG_REJECTIONS.at(-1), 'log-not-trusted');
  assert.equal(new Set(LOG_REJECTIONS).size, LOG_REJECTIONS.length);
});

test('an entry has one identity, whatever is said about it', async () => {
  const entry = await v1.enter(BODIES['hashedrekord 0.0.1']());
  const again = { ...without(entry, 'signedEntryTimestamp', 'kindVersion'), logIndex: entry.logIndex + 1 };
  assert.equal(logEntryIdentity(again), logEntryIdentity(entry));
  assert.notEqual(logEntryIdentity({ ...entry, logKeyId: v2.log.logId }), logEntryIdentity(entry));
  assert.notEqual(logEntryIdentity(await v1.enter(BODIES['dsse 0.0.1']())), logEntryIdentity(entry));
  const bare = { ...entry, canonicalizedBody: new Uint8Array() };
  assert.equal(logEntryIdentity(bare), logEntryIdentity({ ...bare, integratedTime: 1 }));
  assert.notEqual(logEntryIdentity(bare), logEntryIdentity({ ...bare, logIndex: 1 }));
});
