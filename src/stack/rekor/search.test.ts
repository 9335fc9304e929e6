// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodePem, encodePublicKey } from '../../trust/index.ts';
import { newPipeline, WORKFLOW, type TestPipeline } from './pipeline.fixture.ts';
import { decodeSearch } from './search-request.ts';
import { distinctTerms, envelopeTerms, searchTerm } from './search-terms.ts';
import {
  ask,
  dsseV1,
  envelope,
  hashedRekordV1,
  hashedRekordV2,
  newRekorV1,
  newRekorV2,
  newSigner,
  statement,
  verifierV2,
  type TestRekor,
  type TestSigner,
} from './rekor.fixture.ts';

const SUBJECT = hash('sha256', 'an image', 'hex');
const DEVELOPER = { kind: 'email', value: 'Dev@Example.com' } as const;

interface Searched {
  readonly rekor: TestRekor;
  readonly key: TestSigner;
  readonly pipeline: TestPipeline;
  /** the places of what a search finds */
  find(query: object): Promise<readonly number[]>;
}

/**
 * A log of four entries: 0 a blob by a key, 1 an envelope about `SUBJECT` by the same key, 2 a blob by a workflow, 3 an envelope about
 * `SUBJECT` by a person.
 */
async function newSearched(version: 1 | 2): Promise<Searched> {
  const rekor = version === 1 ? await newRekorV1() : await newRekorV2();
  const [key, pipeline, person] = [await newSigner(), await newPipeline(), await newPipeline(DEVELOPER)];
  const about = (signer: TestSigner): object => {
    const document = envelope([signer], statement(SUBJECT));
    return version === 1
      ? dsseV1([signer], JSON.stringify(document))
      : { dsseRequestV002: { envelope: document, verifiers: [verifierV2(signer)] } };
  };
  const blob = version === 1 ? hashedRekordV1 : hashedRekordV2;
  const entries = [await blob(key, 'a blob'), about(key), await blob(pipeline, 'another'), about(person)];
  for (const entry of entries) {
    const answered = await ask(rekor.service, 'POST', `/api/v${version}/log/entries`, entry);
    assert.equal(answered.status, 201, answered.text);
  }
  const find = async (query: object): Promise<readonly number[]> => {
    const answered = await ask(rekor.service, 'POST', `/api/v${version}/index/retrieve`, query);
    assert.equal(answered.status, 200, answered.text);
    return version === 1 ? await placesOf(rekor, answered.json() as string[]) : pageOf(answered.json());
  };
  return { rekor, key, pipeline, find };
}

async function placesOf(rekor: TestRekor, ids: readonly string[]): Promise<readonly number[]> {
  const entries = await Promise.all(
    ids.map(async (id) => await ask(rekor.service, 'GET', `/api/v1/log/entries/${id}`)),
  );
  return entries.map(
    (entry, at) => (entry.json() as Record<string, { logIndex: number }>)[ids[at] ?? '']?.logIndex ?? -1,
  );
}

function pageOf(page: unknown): readonly number[] {
  return (page as { entries: readonly { logIndex: string }[] }).entries.map(({ logIndex }) => Number(logIndex));
}

const encoded = (text: string | Uint8Array): string => Buffer.from(text).toString('base64');

for (const version of [1, 2] as const)
  describe(`Rekor v${version} finds entries`, () => {
    test('by the digest of what was signed, of a payload, and of what a statement is about', async () => {
      const { find } = await newSearched(version);
      assert.deepEqual(await find({ hash: `sha256:${hash('sha256', 'a blob', 'hex')}` }), [0]);
      assert.deepEqual(await find({ hash: hash('sha256', 'another', 'hex').toUpperCase() }), [2]);
      assert.deepEqual(await find({ hash: SUBJECT }), [1, 3]);
      assert.deepEqual(await find({ hash: hash('sha256', statement(SUBJECT), 'hex') }), [1, 3]);
      assert.deepEqual(await find({ hash: hash('sha256', 'nothing', 'hex') }), []);
    });

    test('by their public key, envelopes too, and those by a certificate of it', async () => {
      const { find, key, pipeline } = await newSearched(version);
      const byKey = (signer: TestSigner) => ({
        publicKey: { format: 'x509', content: encoded(encodePublicKey(signer.key.publicKey)) },
      });
      assert.deepEqual(await find(byKey(key)), [0, 1]);
      assert.deepEqual(await find(byKey(pipeline)), [2]);
      const certificate = encodePem('CERTIFICATE', pipeline.certificate);
      assert.deepEqual(await find({ publicKey: { format: 'x509', content: encoded(certificate) } }), [2]);
    });

    test('by the identity that was certified, whatever its case', async () => {
      const { find } = await newSearched(version);
      assert.deepEqual(await find({ email: 'dev@example.COM' }), [3]);
      assert.deepEqual(await find({ subject: 'DEV@example.com' }), [3]);
      assert.deepEqual(await find({ subject: WORKFLOW }), [2]);
      assert.deepEqual(await find({ email: 'other@example.com' }), []);
    });

    test('by its issuer, its repository and its workflow', async () => {
      const { find } = await newSearched(version);
      assert.deepEqual(await find({ issuer: 'https://token.actions.githubusercontent.com' }), [2, 3]);
      assert.deepEqual(await find({ repository: 'https://github.com/example/app' }), [2, 3]);
      assert.deepEqual(await find({ repository: 'example/app' }), [2, 3]);
      assert.deepEqual(await find({ workflow: WORKFLOW }), [2, 3]);
      assert.deepEqual(
        await find({ workflow: 'https://github.com/example/app/.github/workflows/release.yml' }),
        [2, 3],
      );
      assert.deepEqual(await find({ workflow: 'Release' }), [2, 3]);
    });

    test('by all of several things, or any of them', async () => {
      const { find } = await newSearched(version);
      const query = { subject: DEVELOPER.value, hash: SUBJECT };
      assert.deepEqual(await find({ ...query, operator: 'and' }), [3]);
      assert.deepEqual(await find({ ...query, operator: 'or' }), [1, 3]);
      assert.deepEqual(await find({ ...query, operator: '' }), [1, 3]);
      assert.deepEqual(await find({ ...query, email: 'other@example.com', operator: 'and' }), []);
    });

    test('in pages', async () => {
      const { find } = await newSearched(version);
      const query = { hash: SUBJECT, issuer: 'https://token.actions.githubusercontent.com' };
      assert.deepEqual(await find({ ...query, limit: 2 }), [1, 2]);
      assert.deepEqual(await find({ ...query, limit: 2, after: 2 }), [3]);
      assert.deepEqual(await find({ ...query, after: '3' }), []);
    });
  });

test('a page of Rekor v2 has what was kept, when, and where the next page begins', async () => {
  const { rekor } = await newSearched(2);
  const search = async (query: object) =>
    (await ask(rekor.service, 'POST', '/api/v2/index/retrieve', query)).json() as {
      entries: readonly { logIndex: string; time: string; canonicalizedBody: string }[];
      next: string | null;
    };
  const { entries, next } = await search({ hash: SUBJECT, limit: 1 });
  const [kept] = await rekor.log.entries(1, 1);
  assert.deepEqual(entries, [
    { logIndex: '1', time: new Date(kept?.time ?? 0).toISOString(), canonicalizedBody: encoded(kept?.leaf ?? '') },
  ]);
  assert.equal(next, '1');
  assert.equal((await search({ hash: SUBJECT, after: next })).next, null);
});

test('a search of Rekor v1 without a limit answers all that there are', async () => {
  const rekor = await newRekorV1();
  const terms = [searchTerm('issuer', 'https://issuer.example')];
  for (let index = 0; index < 2345; index++) {
    const leaf = Buffer.from(`entry ${index}`);
    await rekor.log.append({ leaf, identity: hash('sha256', leaf, 'buffer'), terms });
  }
  const answered = await ask(rekor.service, 'POST', '/api/v1/index/retrieve', { issuer: 'https://issuer.example' });
  assert.equal(new Set(answered.json() as string[]).size, 2345);
});

test('entries that were entered by certificates of a recorded authority are found by who they are', async () => {
  const rekor = await newRekorV2();
  const folder = join(import.meta.dirname, '../../../test/golden/_http');
  const request = readFileSync(join(folder, 'POST-rekor2_api_v2_log_entries-v002-cert.req'));
  assert.equal((await ask(rekor.service, 'POST', '/api/v2/log/entries', request)).status, 201);
  const query = { email: 'dev@lab.example', issuer: 'http://localhost:5570/oidc', operator: 'and' };
  const answered = await ask(rekor.service, 'POST', '/api/v2/index/retrieve', query);
  assert.deepEqual(pageOf(answered.json()), [0]);
});

describe('a search is refused', () => {
  const refuse = (query: unknown) => {
    const bytes = Buffer.from(typeof query === 'string' ? query : JSON.stringify(query));
    assert.throws(
      () => decodeSearch(bytes),
      (error: unknown) => error instanceof Error && 'code' in error,
      JSON.stringify(query),
    );
  };

  test('that asks for nothing, for what is not known, or in a form that is none', () => {
    for (const query of [
      {},
      [],
      null,
      5,
      '',
      '{',
      { email: '' },
      { email: null, hash: null },
      { operator: 'and' },
      { unknown: 1 },
      { email: 5 },
      { hash: 5 },
      { hash: 'abc' },
      { hash: 'sha512:00' },
      { hash: `sha256:${'0'.repeat(128)}` },
      { hash: `md5:${'0'.repeat(32)}` },
      { email: 'a', operator: 'xor' },
      { email: 'a', limit: 0 },
      { email: 'a', limit: 1001 },
      { email: 'a', after: -1 },
      { email: 'a', after: 1.5 },
    ])
      refuse(query);
  });

  test('for a key that is none, of another format, or at an address that the log would have to ask', () => {
    const content = encoded('-----BEGIN PGP PUBLIC KEY BLOCK-----');
    for (const publicKey of [
      5,
      {},
      { content: '' },
      { content: '!' },
      { content: encoded('text') },
      { format: 'pgp', content },
      { format: 'x509', content },
      { url: 'http://127.0.0.1/key' },
    ])
      refuse({ publicKey });
  });

  test('whatever it is, by a coded error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        try {
          decodeSearch(Buffer.from(text));
        } catch (error) {
          assert.ok(error instanceof Error && 'code' in error, String(error));
        }
      }),
    );
  });
});

describe('terms', () => {
  test('are such that a log takes them, whatever they are of', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), (value) => {
        const term = searchTerm('identity', value);
        assert.ok(term.length <= 1024 && term === term.toLowerCase() && term.isWellFormed() && !term.includes('\0'));
        assert.equal(term, searchTerm('identity', value));
      }),
    );
    assert.notEqual(searchTerm('identity', 'x'.repeat(2000)), searchTerm('identity', `${'x'.repeat(1999)}y`));
    assert.notEqual(searchTerm('identity', 'x'), searchTerm('issuer', 'x'));
  });

  test('of a payload that is no statement are those of its octets', () => {
    for (const payload of ['', 'text', '{}', '{"_type":"https://in-toto.io/Statement/v1"}'])
      assert.deepEqual(
        envelopeTerms({ payloadType: 'application/vnd.in-toto+json', payload: Buffer.from(payload), signatures: [] }),
        [`digest:sha256:${hash('sha256', payload, 'hex')}`],
      );
  });

  test('name what a statement was made from, in either version of SLSA', () => {
    const [old, recent] = [hash('sha1', 'old', 'hex'), hash('sha256', 'recent', 'hex')];
    const payload = JSON.stringify({
      _type: 'https://in-toto.io/Statement/v0.1',
      subject: [{ name: 'app', digest: { sha256: SUBJECT } }],
      predicateType: 'https://slsa.dev/provenance/v0.2',
      predicate: {
        materials: [{ uri: 'git+https://example', digest: { sha1: old } }, 5, { digest: 'x' }],
        buildDefinition: { resolvedDependencies: [{ digest: { sha256: recent, other: 5 } }] },
      },
    });
    const terms = envelopeTerms({
      payloadType: 'application/vnd.in-toto+json',
      payload: Buffer.from(payload),
      signatures: [],
    });
    for (const term of [`digest:sha256:${SUBJECT}`, `digest:sha1:${old}`, `digest:sha256:${recent}`])
      assert.ok(terms.includes(term));
    assert.equal(distinctTerms(terms).length, new Set(terms).size);
    assert.equal(distinctTerms([...terms, ...terms]).length, 4);
  });

  test('that do not all fit are those of the subjects by SHA-256, before what they were made from', () => {
    const sha256 = (word: string) => hash('sha256', word, 'hex');
    const subject = Array.from({ length: 120 }, (_, at) => ({
      name: `file ${at}`,
      digest: { sha1: hash('sha1', `${at}`, 'hex'), sha256: sha256(`${at}`) },
    }));
    const materials = Array.from({ length: 300 }, (_, at) => ({ digest: { sha256: sha256(`material ${at}`) } }));
    const payload = JSON.stringify({
      _type: 'https://in-toto.io/Statement/v0.1',
      subject,
      predicateType: 'https://slsa.dev/provenance/v0.2',
      predicate: { materials },
    });
    const envelopeOf = { payloadType: 'application/vnd.in-toto+json', payload: Buffer.from(payload), signatures: [] };
    const terms = distinctTerms(envelopeTerms(envelopeOf));
    assert.equal(terms.length, 256);
    for (const { digest } of subject)
      for (const [name, value] of Object.entries(digest)) assert.ok(terms.includes(`digest:${name}:${value}`));
  });
});
