// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { CodedError } from '../wire/index.ts';
import { decodeBundle } from './bundle/decode-bundle.ts';
import { compileIdentity, type ExpectedIdentity } from './identity/identity.ts';
import { decodeTrustedRoot } from './root/trusted-root.ts';
import type { Artifact } from './seal-check.ts';
import { verifyBundle } from './verify-bundle.ts';

// Bundles of the real cosign, each with one thing changed: what a keyless seal must not survive, and the little that does not matter.

const golden = join(import.meta.dirname, '../../test/golden');
const read = (path: string): string => readFileSync(join(golden, path), 'utf8');
const trustedRoot = decodeTrustedRoot(Buffer.from(read('_stack/trusted_root.json')), 'trusted_root.json');
const ARTIFACT: Artifact = { kind: 'bytes', bytes: readFileSync(join(golden, '_inputs/blob.txt')) };
const SEALED = read('keyless-3.1.1-rekor1-tsa/blob.sigstore.json');
const OTHER = read('keyless-3.1.1-rekor1/blob.sigstore.json');
const ATTESTED = read('keyless-3.1.1-rekor1-tsa/att.sigstore.json');
const V2 = read('key-tlog-3.1.1-rekor2/b.json');

let dev: ExpectedIdentity;
before(async () => {
  dev = await compileIdentity({
    issuer: { exact: 'http://localhost:5570/oidc' },
    subject: { exact: 'dev@lab.example' },
  });
});

interface EntryJson extends Record<string, unknown> {
  logId: { keyId: string };
  kindVersion: Record<string, unknown>;
  inclusionPromise?: { signedEntryTimestamp: string };
  inclusionProof?: {
    logIndex?: string;
    rootHash: string;
    treeSize: string;
    hashes?: string[];
    checkpoint?: { envelope: string };
  };
  canonicalizedBody: string;
}

interface BundleJson extends Record<string, unknown> {
  mediaType: string;
  verificationMaterial: Record<string, unknown> & {
    certificate?: { rawBytes: string };
    tlogEntries: [EntryJson, ...EntryJson[]];
    timestampVerificationData?: { rfc3161Timestamps: { signedTimestamp: string }[] };
  };
  messageSignature: Record<string, unknown> & {
    messageDigest?: { algorithm: string; digest: string };
    signature: string;
  };
  dsseEnvelope: { payload: string; payloadType: string; signatures: { sig: string }[] };
}

const parse = (text: string): BundleJson => JSON.parse(text) as BundleJson;
const other = parse(OTHER);

/** The code with which a changed bundle is refused, be it when it is read or verified. */
async function outcome(
  sealed: string,
  change: (bundle: BundleJson) => void,
  signedTimestamps: boolean,
): Promise<string> {
  const json = parse(sealed);
  change(json);
  try {
    const bundle = decodeBundle(Buffer.from(JSON.stringify(json)), 'the bundle');
    const check = await verifyBundle(bundle, ARTIFACT, { identities: [dev], trustedRoot, signedTimestamps });
    return check.kind === 'accepted' ? 'accepted' : check.rejection.code;
  } catch (error) {
    assert.ok(error instanceof CodedError, String(error));
    return error.code;
  }
}

/** Base64 with its octet at a place turned over. */
function flip(text: string, at = -1): string {
  const bytes = Buffer.from(text, 'base64');
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  return bytes.toString('base64');
}

const entryOf = ({ verificationMaterial }: BundleJson): EntryJson => verificationMaterial.tlogEntries[0];
const otherEntry = entryOf(other);

type Changes = Readonly<
  Record<string, readonly [code: string, change: (bundle: BundleJson) => void, signedTimestamps?: boolean]>
>;

const OF_A_BLOB: Changes = {
  'nothing changed': ['accepted', () => undefined],
  'nothing changed, and a timestamp demanded': ['accepted', () => undefined, true],

  'the signature': ['signature-invalid', ({ messageSignature: it }) => (it.signature = flip(it.signature))],
  'the signature of another': [
    'signature-invalid',
    ({ messageSignature: it }) => (it.signature = other.messageSignature.signature),
  ],
  'no signature': ['signature-invalid', ({ messageSignature: it }) => (it.signature = '')],
  'the digest': [
    'digest-mismatch',
    ({ messageSignature: it }) =>
      (it.messageDigest = { algorithm: 'SHA2_256', digest: flip(it.messageDigest?.digest ?? '') }),
  ],
  'the algorithm of the digest': [
    'digest-mismatch',
    ({ messageSignature: it }) =>
      (it.messageDigest = { algorithm: 'SHA2_512', digest: it.messageDigest?.digest ?? '' }),
  ],

  'the certificate of another': [
    'signature-invalid',
    ({ verificationMaterial: it }) => (it.certificate = other.verificationMaterial.certificate ?? { rawBytes: '' }),
  ],
  'the signature on the certificate': [
    'log-entry-key-mismatch',
    ({ verificationMaterial: { certificate } }) =>
      certificate !== undefined && (certificate.rawBytes = flip(certificate.rawBytes)),
  ],
  'a key in place of the certificate': [
    'key-material',
    ({ verificationMaterial: it }) => {
      delete it.certificate;
      it['publicKey'] = { hint: 'x' };
    },
  ],
  'a chain in place of the certificate, in version 0.3': [
    'bundle-malformed',
    ({ verificationMaterial: it }) => {
      it['x509CertificateChain'] = { certificates: [it.certificate] };
      delete it.certificate;
    },
  ],
  'no certificate': ['bundle-malformed', ({ verificationMaterial: it }) => delete it.certificate],
  'an empty certificate': ['bundle-malformed', ({ verificationMaterial: it }) => (it.certificate = { rawBytes: '' })],

  'no log entry': ['log-missing', ({ verificationMaterial: it }) => Reflect.set(it, 'tlogEntries', [])],
  'the log entry of another': [
    'log-entry-signature-mismatch',
    ({ verificationMaterial: it }) => (it.tlogEntries = [otherEntry]),
  ],
  'the log entry of another as well': [
    'log-entry-signature-mismatch',
    ({ verificationMaterial: it }) => it.tlogEntries.push(otherEntry),
  ],
  'the log entry twice': [
    'log-entry-duplicate',
    ({ verificationMaterial: it }) => it.tlogEntries.push(it.tlogEntries[0]),
  ],
  'the body of another': [
    'log-entry-signature-mismatch',
    (it) => (entryOf(it).canonicalizedBody = otherEntry.canonicalizedBody),
  ],
  'a body that is none': [
    'log-entry-malformed',
    (it) => (entryOf(it).canonicalizedBody = Buffer.from('{}').toString('base64')),
  ],
  'no body': ['log-entry-malformed', (it) => (entryOf(it).canonicalizedBody = '')],
  'another log': ['log-unknown', (it) => (entryOf(it).logId = { keyId: flip(entryOf(it).logId.keyId) })],
  'no log': ['log-unknown', (it) => Reflect.deleteProperty(entryOf(it), 'logId')],
  'the id of the log of Rekor v2': ['log-promise-invalid', (it) => (entryOf(it).logId = entryOf(parse(V2)).logId)],
  'another kind': ['log-entry-kind-mismatch', (it) => (entryOf(it).kindVersion = { kind: 'dsse', version: '0.0.1' })],
  'another version of the kind': [
    'log-entry-kind-mismatch',
    (it) => (entryOf(it).kindVersion = { kind: 'hashedrekord', version: '0.0.2' }),
  ],
  'another index': ['log-promise-invalid', (it) => (entryOf(it)['logIndex'] = '8')],
  'another time': ['log-promise-invalid', (it) => (entryOf(it)['integratedTime'] = '1795330980')],
  'no time': ['log-promise-invalid', (it) => delete entryOf(it)['integratedTime']],
  'another promise': [
    'log-promise-invalid',
    (it) => (entryOf(it).inclusionPromise = otherEntry.inclusionPromise ?? { signedEntryTimestamp: '' }),
  ],
  'an empty promise, which is none: then the timestamp says when': [
    'accepted',
    (it) => (entryOf(it).inclusionPromise = { signedEntryTimestamp: '' }),
  ],
  'no promise: then the timestamp says when': ['accepted', (it) => delete entryOf(it).inclusionPromise],
  'no promise, and no timestamp': [
    'time-missing',
    (it) => {
      delete entryOf(it).inclusionPromise;
      delete it.verificationMaterial.timestampVerificationData;
    },
  ],
  'no proof': ['log-evidence-missing', (it) => delete entryOf(it).inclusionProof],
  'no proof in version 0.1: the promise is enough': [
    'accepted',
    (it) => {
      delete entryOf(it).inclusionProof;
      it.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.1';
    },
  ],
  'a proof without a checkpoint, and no promise': [
    'log-evidence-missing',
    (it) => {
      delete entryOf(it).inclusionPromise;
      changeProof(it, (proof) => delete proof.checkpoint);
    },
  ],
  'a proof without a checkpoint, beside a promise': [
    'log-evidence-missing',
    (it) => changeProof(it, (proof) => delete proof.checkpoint),
  ],
  'neither promise nor proof': [
    'log-evidence-missing',
    (it) => {
      delete entryOf(it).inclusionPromise;
      delete entryOf(it).inclusionProof;
    },
  ],
  'the proof of another': [
    'log-proof-invalid',
    (it) => (entryOf(it).inclusionProof = otherEntry.inclusionProof ?? { rootHash: '', treeSize: '' }),
  ],
  'another root': ['log-proof-invalid', (it) => changeProof(it, (proof) => (proof.rootHash = flip(proof.rootHash)))],
  'another size': ['log-proof-invalid', (it) => changeProof(it, (proof) => (proof.treeSize = '16'))],
  'another index in the proof': ['log-proof-invalid', (it) => changeProof(it, (proof) => (proof.logIndex = '6'))],
  'a hash of the proof': [
    'log-proof-invalid',
    (it) => changeProof(it, (proof) => (proof.hashes = proof.hashes?.map((hash) => flip(hash)) ?? [])),
  ],
  'a hash fewer': [
    'log-proof-invalid',
    (it) => changeProof(it, (proof) => (proof.hashes = proof.hashes?.slice(1) ?? [])),
  ],
  'a checkpoint with another root': [
    'log-checkpoint-mismatch',
    (it) => changeCheckpoint(it, (text) => text.replace(/\n8\n.*\n/, `\n8\n${Buffer.alloc(32).toString('base64')}\n`)),
  ],
  'a checkpoint of another size': [
    'log-checkpoint-mismatch',
    (it) => changeCheckpoint(it, (text) => text.replace('\n8\n', '\n9\n')),
  ],
  'a checkpoint of another origin': [
    'log-checkpoint-signature-invalid',
    (it) => changeCheckpoint(it, (text) => text.replace(/^localhost/, 'elsewhere')),
  ],
  'a checkpoint without a signature': [
    'log-checkpoint-malformed',
    (it) => changeCheckpoint(it, (text) => text.slice(0, text.indexOf('\n\n') + 2)),
  ],
  'a checkpoint that is none': ['log-checkpoint-malformed', (it) => changeCheckpoint(it, () => 'x')],

  'no timestamp, where none is demanded': [
    'accepted',
    ({ verificationMaterial: it }) => delete it.timestampVerificationData,
  ],
  'no timestamp': ['timestamp-missing', ({ verificationMaterial: it }) => delete it.timestampVerificationData, true],
  'the timestamp of another': [
    'timestamp-imprint-mismatch',
    ({ verificationMaterial: it }) =>
      (it.timestampVerificationData = parse(ATTESTED).verificationMaterial.timestampVerificationData ?? {
        rfc3161Timestamps: [],
      }),
    true,
  ],
  'the timestamp of another, where none is demanded': [
    'accepted',
    ({ verificationMaterial: it }) =>
      (it.timestampVerificationData = parse(ATTESTED).verificationMaterial.timestampVerificationData ?? {
        rfc3161Timestamps: [],
      }),
  ],
  'the signature of the timestamp': [
    'timestamp-signature-invalid',
    ({ verificationMaterial: { timestampVerificationData: it } }) => changeStamp(it, (text) => flip(text)),
    true,
  ],
  'a timestamp that is none': [
    'timestamp-malformed',
    ({ verificationMaterial: { timestampVerificationData: it } }) => changeStamp(it, () => 'MAA='),
    true,
  ],

  'a version that there is not': [
    'bundle-unsupported',
    (it) => (it.mediaType = 'application/vnd.dev.sigstore.bundle.v0.4+json'),
  ],
  'version 0.1 in name': ['accepted', (it) => (it.mediaType = 'application/vnd.dev.sigstore.bundle+json;version=0.1')],
  'a field that there is not': ['bundle-malformed', (it) => (it['unknown'] = 1)],
  'a field of an entry that there is not': ['bundle-malformed', (it) => (entryOf(it)['unknown'] = 1)],
};

const OF_AN_ATTESTATION: Changes = {
  'nothing changed': ['accepted', () => undefined],
  'the payload': ['signature-invalid', ({ dsseEnvelope: it }) => (it.payload = flip(it.payload))],
  'the type of the payload': ['payload-type-unexpected', ({ dsseEnvelope: it }) => (it.payloadType = 'text/plain')],
  'no signature': ['signature-count', ({ dsseEnvelope: it }) => (it.signatures = [])],
  'the signature twice': [
    'signature-count',
    ({ dsseEnvelope: it }) => (it.signatures = [...it.signatures, ...it.signatures]),
  ],
  'the log entry of a blob': [
    'log-entry-signature-mismatch',
    ({ verificationMaterial: it }) => (it.tlogEntries = [otherEntry]),
  ],
};

function changeProof(bundle: BundleJson, change: (proof: NonNullable<EntryJson['inclusionProof']>) => void): void {
  const { inclusionProof } = entryOf(bundle);
  assert.ok(inclusionProof !== undefined);
  change(inclusionProof);
}

function changeCheckpoint(bundle: BundleJson, change: (text: string) => string): void {
  changeProof(bundle, ({ checkpoint }) => {
    assert.ok(checkpoint !== undefined);
    checkpoint.envelope = change(checkpoint.envelope);
  });
}

function changeStamp(
  data: BundleJson['verificationMaterial']['timestampVerificationData'],
  change: (text: string) => string,
): void {
  for (const stamp of data?.rfc3161Timestamps ?? []) stamp.signedTimestamp = change(stamp.signedTimestamp);
}

for (const [what, sealed, changes] of [
  ['a blob', SEALED, OF_A_BLOB],
  ['an attestation', ATTESTED, OF_AN_ATTESTATION],
] as const)
  describe(`the keyless seal of ${what}, with one thing changed`, () => {
    for (const [name, [code, change, signedTimestamps = false]] of Object.entries(changes))
      test(`${name}: ${code}`, async () => assert.equal(await outcome(sealed, change, signedTimestamps), code));
  });
