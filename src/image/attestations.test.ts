// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bytesBlob, digestOf, MediaType, MemoryRepository, RegistryError, type Descriptor } from '../oci/index.ts';
import {
  encodeStatement,
  generatePrivateKey,
  keySigner,
  PREDICATE_TYPES,
  signBundle,
  type Signer,
} from '../trust/index.ts';
import type { Json } from '../wire/index.ts';
import { attachBundle } from './attach-bundle.ts';
import {
  attachedTag,
  attestImage,
  ImageError,
  readAttestations,
  signImage,
  verifyAttestations,
  verifyImage,
  type Attestation,
  type AttestationExpectation,
  type AttestImageOptions,
  type VerifyAttestationsOptions,
  type Verdict,
} from './index.ts';

const NOW = new Date('2026-11-22T06:47:00.123Z');
const TYPE = 'https://example.com/kind/v1';
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const NAME = 'registry.example.com/platform/demo-api';

interface Scene {
  readonly repository: MemoryRepository;
  readonly image: Descriptor;
  readonly signer: Signer;
  attest(predicate: Json, more?: Partial<AttestImageOptions> & { readonly type?: string }): Promise<void>;
  verify(more?: Partial<AttestationExpectation>, all?: boolean): Promise<Verdict<Attestation>>;
}

async function scene(): Promise<Scene> {
  const repository = new MemoryRepository(NAME);
  const image = await push(repository, 'v1', '{}');
  const signer = keySigner(await generatePrivateKey('ecdsa-p256'));
  return {
    repository,
    image,
    signer,
    async attest(predicate, { type = TYPE, ...more } = {}) {
      const content = { kind: 'predicate', predicateType: type, predicate } as const;
      await attestImage(repository, image.digest, content, { signer, now: NOW, ...more });
    },
    verify: (more = {}, all = false) =>
      verifyAttestations(
        repository,
        image.digest,
        { signers: { kind: 'keys', keys: [signer.publicKey] }, predicateType: TYPE, ...more },
        { all },
      ),
  };
}

async function push(repository: MemoryRepository, tag: string, content: string): Promise<Descriptor> {
  const config = utf8(content);
  await repository.putBlob(bytesBlob(config));
  const descriptor = { mediaType: MediaType.imageConfig, size: config.byteLength, digest: digestOf(config) };
  const manifest = { schemaVersion: 2, mediaType: MediaType.imageManifest, config: descriptor, layers: [] };
  return (await repository.putManifest(utf8(JSON.stringify(manifest)), MediaType.imageManifest, { tag })).descriptor;
}

function predicates(verdict: Verdict<Attestation>): readonly unknown[] {
  assert.equal(verdict.kind, 'trusted', JSON.stringify(verdict));
  return verdict.kind === 'trusted' ? verdict.seals.map(({ statement }) => statement.predicate) : [];
}

function reasonOf(verdict: Verdict<Attestation>): string {
  return verdict.kind === 'refused' ? verdict.reason : verdict.kind;
}

function codesOf(verdict: Verdict<Attestation>): readonly string[] {
  return verdict.rejected.map(({ code }) => code);
}

describe('attestImage and verifyAttestations', () => {
  for (const format of ['bundle', 'legacy'] as const) {
    it(`say the same, as ${format}`, async () => {
      const { attest, verify, image } = await scene();
      await attest({ n: 1 }, { formats: [format] });
      const verdict = await verify();
      assert.deepEqual(predicates(verdict), [{ n: 1 }]);
      assert.ok(verdict.kind === 'trusted');
      assert.equal(verdict.seals[0].format, format);
      assert.deepEqual(verdict.seals[0].statement.subjects, [
        { name: NAME, digest: { sha256: image.digest.slice(7) } },
      ]);
    });

    it(`are refused for another key, as ${format}`, async () => {
      const { attest, verify } = await scene();
      await attest({ n: 1 }, { formats: [format] });
      const other = keySigner(await generatePrivateKey('ecdsa-p256'));
      const verdict = await verify({ signers: { kind: 'keys', keys: [other.publicKey] } });
      assert.equal(reasonOf(verdict), 'none-accepted');
      assert.deepEqual(codesOf(verdict), ['signature-invalid']);
    });
  }

  it('check the predicate type of each attestation', async () => {
    const { attest, verify } = await scene();
    await attest({ n: 1 }, { formats: ['bundle', 'legacy'] });
    await attest({ n: 2 }, { type: 'https://example.com/other', formats: ['bundle', 'legacy'] });
    assert.deepEqual(predicates(await verify({}, true)), [{ n: 1 }, { n: 1 }]);
    assert.deepEqual(predicates(await verify({ predicateType: 'https://example.com/other' })), [{ n: 2 }]);
    const none = await verify({ predicateType: 'https://example.com/none' });
    assert.equal(reasonOf(none), 'none-accepted');
    assert.ok(codesOf(none).every((code) => code === 'predicate-type-mismatch'));
  });

  it('never take a signature for an attestation, nor an attestation for a signature', async () => {
    const { repository, image, signer, attest, verify } = await scene();
    const signers = { kind: 'keys', keys: [signer.publicKey] } as const;
    await signImage(repository, image.digest, { signer, now: NOW, formats: ['bundle', 'legacy'] });
    for (const predicateType of [TYPE, undefined]) {
      const verdict = await verifyAttestations(repository, image.digest, {
        signers,
        ...(predicateType === undefined ? {} : { predicateType }),
      });
      assert.equal(reasonOf(verdict), 'nothing-found');
      assert.deepEqual(codesOf(verdict), ['not-attestation']);
    }
    await attest({ n: 1 });
    assert.deepEqual(predicates(await verify()), [{ n: 1 }]);
    const other = await scene();
    await other.attest({ n: 1 }, { formats: ['bundle', 'legacy'] });
    const signed = await verifyImage(other.repository, other.image.digest, {
      signers: { kind: 'keys', keys: [other.signer.publicKey] },
    });
    assert.ok(signed.kind === 'refused' && signed.reason === 'nothing-found');
  });

  it('refuse an attestation of another image that was laid here, in either format', async () => {
    const { repository, image, signer, attest, verify } = await scene();
    const other = await push(repository, 'v2', '{"other":true}');
    await attest({ n: 1 }, { formats: ['legacy'] });
    // the `.att` manifest of one image under the tag of the other, and a bundle about it as a referrer of the other
    const stored = await repository.manifest(attachedTag(image.digest, 'attestation'));
    assert.ok(stored !== undefined);
    await repository.putManifest(stored.bytes, MediaType.imageManifest, {
      tag: attachedTag(other.digest, 'attestation'),
    });
    const digest = { algorithm: 'sha256', hex: image.digest.slice(7) };
    const statement = encodeStatement({ subjects: [{ digest }], predicateType: TYPE, predicate: {} });
    const bundle = await signBundle(statement, signer);
    await attachBundle(repository, { subject: other, bundle, predicateType: TYPE, now: NOW });
    const expectation = { signers: { kind: 'keys', keys: [signer.publicKey] }, predicateType: TYPE } as const;
    const verdict = await verifyAttestations(repository, other.digest, expectation);
    assert.equal(reasonOf(verdict), 'none-accepted');
    assert.deepEqual(codesOf(verdict), ['subject-mismatch', 'subject-mismatch']);
    const unchecked = await verifyAttestations(repository, other.digest, { ...expectation, checkClaims: false });
    assert.deepEqual(unchecked.kind === 'trusted' && unchecked.seals.map(({ format }) => format), ['legacy']);
    assert.deepEqual(unchecked.weakened, ['claims-not-checked']);
    assert.equal((await verify()).kind, 'trusted');
  });

  it('believe no annotation: neither a predicate type that lies nor an artifact type excludes anything', async () => {
    const { repository, image, signer, verify } = await scene();
    const digest = { algorithm: 'sha256', hex: image.digest.slice(7) };
    const statement = encodeStatement({ subjects: [{ digest }], predicateType: TYPE, predicate: { n: 1 } });
    const bundle = await signBundle(statement, signer);
    await attachBundle(repository, {
      subject: image,
      bundle,
      predicateType: 'https://evil.example/\u001b[2J',
      now: NOW,
    });
    assert.deepEqual(predicates(await verify()), [{ n: 1 }]);
  });

  it('read the youngest of a type first', async () => {
    const { attest, verify } = await scene();
    await attest({ n: 'old' }, { now: new Date('2026-01-01T00:00:00Z') });
    await attest({ n: 'new' }, { now: new Date('2026-06-01T00:00:00Z') });
    assert.deepEqual(predicates(await verify()), [{ n: 'new' }]);
    assert.equal(predicates(await verify({}, true)).length, 2);
  });

  it('take a good attestation beside broken ones', async () => {
    const { repository, image, attest, verify } = await scene();
    await attest({ n: 1 }, { formats: ['legacy'] });
    const tag = attachedTag(image.digest, 'attestation');
    const stored = await repository.manifest(tag);
    const manifest = JSON.parse(new TextDecoder().decode(stored?.bytes)) as { layers: Descriptor[] };
    for (const garbage of ['{', '{"payloadType":"x"}', '{"payloadType":"x","payload":"!","signatures":[]}', '[]']) {
      await repository.putBlob(bytesBlob(utf8(garbage)));
      const annotations = { 'dev.sigstore.cosign/bundle': '{', predicateType: TYPE };
      const size = garbage.length;
      manifest.layers.unshift({ mediaType: 'x/y', size, digest: digestOf(utf8(garbage)), annotations });
    }
    await repository.putManifest(utf8(JSON.stringify(manifest)), MediaType.imageManifest, { tag });
    const verdict = await verify({}, true);
    assert.deepEqual(predicates(verdict), [{ n: 1 }]);
    assert.deepEqual(
      codesOf(verdict),
      Array.from({ length: 4 }, () => 'bundle-malformed'),
    );
  });

  it('warn of a predicate that is not in the form of its kind, and refuse it only where that is asked for', async () => {
    const { attest, verify } = await scene();
    const predicateType = PREDICATE_TYPES.openvex;
    await attest({}, { type: predicateType });
    const verdict = await verify({ predicateType });
    assert.ok(verdict.kind === 'trusted');
    assert.equal(verdict.seals[0].faults[0]?.code, 'predicate-member-missing');
    const strict = await verify({ predicateType, strictPredicate: true });
    assert.equal(reasonOf(strict), 'none-accepted');
    assert.deepEqual(codesOf(strict), ['predicate-malformed']);
  });

  it('sign a whole statement as it is, and only one about the image', async () => {
    const { repository, image, signer, verify } = await scene();
    const digest = { algorithm: 'sha256', hex: image.digest.slice(7) };
    const about = (hex: string): Uint8Array =>
      encodeStatement({ version: '1', subjects: [{ digest: { ...digest, hex } }], predicateType: TYPE, predicate: {} });
    const payload = about(digest.hex);
    await attestImage(repository, 'v1', { kind: 'statement', payload }, { signer, now: NOW });
    const verdict = await verify();
    assert.ok(verdict.kind === 'trusted');
    assert.deepEqual(verdict.seals[0].envelope.payload, payload);
    await assert.rejects(
      attestImage(repository, 'v1', { kind: 'statement', payload: about('00') }, { signer, now: NOW }),
      { code: 'statement-subject' },
    );
    await assert.rejects(
      attestImage(repository, 'v1', { kind: 'statement', payload: utf8('{}') }, { signer, now: NOW }),
      { code: 'statement-malformed' },
    );
  });

  it('take the place of older ones of that type in an .att tag where that is asked for, and of no others', async () => {
    const { attest, verify } = await scene();
    const legacy = { formats: ['legacy'] } as const;
    await attest({ n: 1 }, legacy);
    await attest({ n: 2 }, legacy);
    await attest({ n: 3 }, { ...legacy, type: 'https://example.com/other' });
    const older: string[] = [];
    const onOlder = (type: string, replaced: boolean): void => void older.push(`${type} ${replaced}`);
    await attest({ n: 4 }, { ...legacy, replace: true, onOlder });
    assert.deepEqual(older, [`${TYPE} true`, `${TYPE} true`, 'https://example.com/other false']);
    assert.deepEqual(predicates(await verify({}, true)), [{ n: 4 }]);
    assert.deepEqual(predicates(await verify({ predicateType: 'https://example.com/other' }, true)), [{ n: 3 }]);
  });

  it('write nothing that is larger than what is read, and read nothing that is larger', async () => {
    const { attest, verify, repository, image, signer } = await scene();
    const big = { text: 'x'.repeat(2000) };
    for (const format of ['bundle', 'legacy'] as const)
      await assert.rejects(attest(big, { maxBytes: 1000, formats: [format] }), { code: 'seal-too-large' });
    assert.equal(reasonOf(await verify()), 'nothing-found');
    await attest(big, { formats: ['bundle', 'legacy'] });
    const limited = await verifyAttestations(
      repository,
      image.digest,
      { signers: { kind: 'keys', keys: [signer.publicKey] }, predicateType: TYPE },
      { limits: { maxSealBytes: 1000 } },
    );
    assert.equal(reasonOf(limited), 'none-accepted');
    assert.deepEqual(codesOf(limited), ['too-large', 'too-large']);
    assert.equal((await verify()).kind, 'trusted');
  });

  it('never write what would not verify', async () => {
    const { attest, signer, verify } = await scene();
    const other = keySigner(await generatePrivateKey('ecdsa-p256'));
    const broken: Signer = { publicKey: other.publicKey, sign: (message) => signer.sign(message) };
    for (const format of ['bundle', 'legacy'] as const)
      await assert.rejects(attest({}, { signer: broken, formats: [format] }), { code: 'seal-not-readable' });
    assert.equal(reasonOf(await verify()), 'nothing-found');
  });

  it('are asked what else must hold, and one that cannot be judged hides none that is good', async () => {
    const { repository, image, signer, attest } = await scene();
    for (const n of [1, 2, 3, 4]) await attest({ n }, { formats: ['bundle', 'legacy'] });
    const expectation = { signers: { kind: 'keys', keys: [signer.publicKey] }, predicateType: TYPE } as const;
    const judged = (of: (n: number) => 'good' | 'bad' | 'unfinished'): Promise<Verdict<Attestation>> =>
      verifyAttestations(repository, image.digest, expectation, {
        all: true,
        async accept({ statement }) {
          const { n } = statement.predicate as { readonly n: number };
          const found = of(n);
          if (found === 'unfinished') throw new ImageError('unexpected', `nobody knows ${n}`);
          return found === 'good' ? undefined : { code: 'predicate-refused', found: `n: ${n}`, expected: 'another' };
        },
      });
    assert.deepEqual(predicates(await judged((n) => (n === 2 ? 'good' : 'bad'))), [{ n: 2 }, { n: 2 }]);
    const refused = await judged(() => 'bad');
    assert.equal(reasonOf(refused), 'none-accepted');
    assert.equal(refused.kind === 'refused' && refused.nearest?.code, 'predicate-refused');
    const mixed = await judged((n) => (n === 4 ? 'unfinished' : n === 1 ? 'good' : 'bad'));
    assert.deepEqual(predicates(mixed), [{ n: 1 }, { n: 1 }]);
    const open = await judged((n) => (n === 4 ? 'unfinished' : 'bad'));
    assert.ok(open.kind === 'undecided' && open.cause.message === 'nobody knows 4', JSON.stringify(open));
    assert.equal(open.rejected.length, 6, 'the others were judged');
    let asked = 0;
    const none = await judged(() => (asked++, 'unfinished'));
    assert.equal(reasonOf(none), 'undecided');
    assert.equal(asked, 3, 'no more are tried where nothing can be judged');
  });

  describe('where all must pass', () => {
    type Reading = Scene & { judged(options?: VerifyAttestationsOptions): Promise<Verdict<Attestation>> };

    /** Attested are these, in both formats; those below 3 pass. */
    async function attested(...numbers: readonly number[]): Promise<Reading> {
      const made = await scene();
      for (const n of numbers) await made.attest({ n }, { formats: ['bundle', 'legacy'] });
      const expectation = { signers: { kind: 'keys', keys: [made.signer.publicKey] }, predicateType: TYPE } as const;
      return {
        ...made,
        judged: (options = {}) =>
          verifyAttestations(made.repository, made.image.digest, expectation, {
            unanimous: true,
            async accept({ statement }) {
              const { n } = statement.predicate as { readonly n: number };
              return n < 3 ? undefined : { code: 'predicate-refused', found: `n: ${n}`, expected: 'less than 3' };
            },
            ...options,
          }),
      };
    }

    it('every place is read to its end, and one that does not pass refuses the others', async () => {
      const good = await attested(1, 2);
      const all = await good.judged();
      assert.deepEqual(predicates(all).length, 4);
      assert.ok(all.places.every(({ outcome }) => outcome !== 'not-asked'));
      for (const numbers of [
        [1, 3],
        [3, 1],
      ]) {
        const { judged } = await attested(...numbers);
        const refused = await judged();
        assert.equal(reasonOf(refused), 'none-accepted');
        assert.deepEqual(codesOf(refused), ['predicate-refused', 'predicate-refused']);
        assert.equal((await judged({ unanimous: false })).kind, 'trusted');
      }
    });

    it('what a stranger wrote, and what is of another type, is not among them', async () => {
      const { attest, judged } = await attested(1);
      const stranger = keySigner(await generatePrivateKey('ecdsa-p256'));
      await attest({ n: 9 }, { signer: stranger });
      await attest({ n: 9 }, { type: 'https://example.com/other' });
      assert.equal((await judged()).kind, 'trusted');
    });

    it('what could not be read leaves it undecided, unless one is known not to pass', async () => {
      for (const [numbers, kind] of [
        [[1], 'undecided'],
        [[3], 'refused'],
      ] as const) {
        const { repository, judged } = await attested(...numbers);
        repository.referrers = () => Promise.reject(new RegistryError('throttled', 'too many requests'));
        const verdict = await judged();
        assert.equal(verdict.kind, kind);
        if (verdict.kind === 'undecided') assert.equal(verdict.cause.code, 'throttled');
      }
      const { judged } = await attested(1, 1);
      const capped = await judged({ limits: { maxCandidates: 1 } });
      assert.ok(capped.kind === 'undecided' && capped.cause.code === 'evidence-capped', JSON.stringify(capped));
      assert.match(capped.cause.message, /1 of 2 entries were read$/);
      const unfinished = await judged({ accept: () => Promise.reject(new ImageError('unexpected', 'nobody knows')) });
      assert.equal(reasonOf(unfinished), 'undecided');
    });
  });

  it('are undecided where a place could not be asked and no other has a good one', async () => {
    const { repository, attest, verify } = await scene();
    await attest({ n: 1 }, { formats: ['legacy'] });
    const referrers = repository.referrers.bind(repository);
    repository.referrers = () => Promise.reject(new RegistryError('throttled', 'too many requests'));
    assert.deepEqual(predicates(await verify()), [{ n: 1 }], 'a good one elsewhere counts');
    assert.equal((await verify({ predicateType: 'https://example.com/none' })).kind, 'undecided');
    repository.referrers = referrers;
  });
});

describe('readAttestations', () => {
  it('gives those of every place, unverified, and no signature', async () => {
    const { repository, image, signer, attest } = await scene();
    await signImage(repository, image.digest, { signer, now: NOW, formats: ['bundle', 'legacy'] });
    await attest({ n: 1 }, { formats: ['bundle', 'legacy'] });
    await attest({ n: 2 }, { type: 'https://example.com/other' });
    const all = await readAttestations(repository, 'v1');
    assert.deepEqual(all.attestations.map(({ predicateType }) => predicateType).toSorted(), [
      TYPE,
      TYPE,
      'https://example.com/other',
    ]);
    const some = await readAttestations(repository, image.digest, { predicateType: TYPE });
    assert.deepEqual(some.attestations.map(({ format }) => format).toSorted(), ['bundle', 'legacy']);
  });

  it('tells an image that is not there from one that nobody attested', async () => {
    const { repository } = await scene();
    assert.deepEqual((await readAttestations(repository, 'v1')).attestations, []);
    await assert.rejects(readAttestations(repository, 'none'), { code: 'image-missing' });
    await assert.rejects(readAttestations(repository, digestOf(utf8('none'))), { code: 'image-missing' });
  });
});
