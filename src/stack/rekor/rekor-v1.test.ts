// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  certificateKey,
  decodeCertificate,
  decodeCheckpoint,
  decodeEnvelope,
  decodeNote,
  decodeRekorEntries,
  encodePem,
  encodePublicKey,
  KEY_ALGORITHMS,
  keySigner,
  leafHash,
  noteKey,
  verifyConsistency,
  verifyLogEntry,
  type LoggedSignature,
} from '../../trust/index.ts';
import { newPipeline } from './pipeline.fixture.ts';
import { createRekorV1Service } from './rekor-v1.ts';
import {
  ask,
  dsseV1,
  envelope,
  hashedRekordV1,
  newRekorV1,
  newSigner,
  pemOf,
  statement,
  TREE_ID,
  type Answered,
  type TestRekor,
  type TestSigner,
} from './rekor.fixture.ts';

const ENTRIES = '/api/v1/log/entries';
const recorded = (name: string): Buffer =>
  readFileSync(join(import.meta.dirname, `../../../test/golden/_http/POST-rekor1_api_v1_log_entries-${name}`));
const SUBJECT = hash('sha256', 'an image', 'hex');

interface Entry {
  readonly body: string;
  readonly integratedTime: number;
  readonly logID: string;
  readonly logIndex: number;
  readonly verification: {
    readonly inclusionProof: { readonly checkpoint: string; readonly rootHash: string; readonly treeSize: number };
    readonly signedEntryTimestamp: string;
  };
}

function only(answered: Answered): readonly [id: string, entry: Entry] {
  const [first, ...others] = Object.entries(answered.json() as Record<string, Entry>);
  assert.ok(first !== undefined && others.length === 0, answered.text);
  return first;
}

async function enter(
  { service }: TestRekor,
  proposal: object | Uint8Array,
): Promise<Answered & { id: string; entry: Entry }> {
  const answered = await ask(service, 'POST', ENTRIES, proposal);
  assert.equal(answered.status, 201, answered.text);
  const [id, entry] = only(answered);
  return { ...answered, id, entry };
}

async function refused(rekor: TestRekor, proposal: object | string, status = 400): Promise<string> {
  const answered = await ask(rekor.service, 'POST', ENTRIES, proposal);
  assert.equal(answered.status, status, answered.text);
  const { code, message } = answered.json() as { code: number; message: string };
  assert.equal(code, status);
  return message;
}

/** Whether clients of ours believe an answer of it. */
function verify(rekor: TestRekor, answered: Answered, logged: LoggedSignature): string {
  const [first] = decodeRekorEntries(answered.octets, 'the answer');
  assert.ok(first !== undefined);
  const [, entry] = first;
  const check = verifyLogEntry(entry, logged, [rekor.trusted]);
  if (check.kind === 'rejected') return check.rejection.code;
  assert.deepEqual([check.promised, check.included], [true, true]);
  return check.kind;
}

/** An entry of kind intoto 0.0.2, in which everything is written in base64 twice. */
function intotoV2(signers: readonly TestSigner[], payload: string): object {
  const document = envelope(signers, payload);
  const twice = (text: string): string => Buffer.from(text).toString('base64');
  return {
    apiVersion: '0.0.2',
    kind: 'intoto',
    spec: {
      content: {
        envelope: {
          payload: twice(document.payload),
          payloadType: document.payloadType,
          signatures: document.signatures.map(({ sig }, index) => ({
            sig: twice(sig),
            publicKey: pemOf(signers[index] as TestSigner),
          })),
        },
        hash: { algorithm: 'sha256', value: hash('sha256', JSON.stringify(document), 'hex') },
      },
    },
  };
}

describe('an entry is taken', () => {
  for (const algorithm of KEY_ALGORITHMS)
    test(`by a key of type ${algorithm}, with a promise and a proof that verify`, async () => {
      const rekor = await newRekorV1('log.example');
      const signer = await newSigner(algorithm);
      const proposal = await hashedRekordV1(signer, 'message');
      const answered = await enter(rekor, proposal);
      const signature = Buffer.from(proposal.spec.signature.content, 'base64');
      const verifier = { kind: 'public-key', key: signer.key.publicKey } as const;
      const content = { kind: 'bytes', bytes: Buffer.from('message') } as const;
      assert.equal(verify(rekor, answered, { signature, verifier, content }), 'accepted');
      const other = { kind: 'bytes', bytes: Buffer.from('other') } as const;
      assert.equal(verify(rekor, answered, { signature, verifier, content: other }), 'log-entry-digest-mismatch');
    });

  for (const name of ['hashedrekord', 'dsse'])
    test(`as cosign sends it, and is kept byte for byte as the recorded log keeps it (${name})`, async () => {
      const rekor = await newRekorV1('localhost');
      const { id, entry, headers, octets } = await enter(rekor, recorded(`${name}.req`));
      const [theirId, theirs] =
        Object.entries(JSON.parse(recorded(`${name}.resp`).toString('utf8')) as Record<string, Entry>)[0] ?? [];
      assert.equal(entry.body, theirs?.body);
      assert.equal(id, theirId); // it is the same tree id
      assert.equal(headers['etag'], id);
      assert.equal(headers['location'], `${ENTRIES}/${id}`);
      const members = (value: object) => Object.keys(value).toSorted();
      assert.deepEqual(members(entry), members(theirs ?? {}));
      assert.deepEqual(members(entry.verification.inclusionProof), members(theirs?.verification.inclusionProof ?? {}));
      assert.match(octets.toString('utf8'), /localhost - 1193050959916656506\\n1\\n/);
    });

  test('with the origin that tells readers which version of Rekor it is', async () => {
    const rekor = await newRekorV1('log.example');
    const { entry } = await enter(rekor, await hashedRekordV1(await newSigner(), 'message'));
    const note = decodeNote(entry.verification.inclusionProof.checkpoint, 'it');
    assert.equal(decodeCheckpoint(note.text, 'it').origin, `log.example - ${TREE_ID}`);
    assert.deepEqual(
      note.signatures.map(({ name }) => name),
      ['log.example'],
    );
    const key = noteKey('log.example', rekor.key.publicKey);
    assert.ok(key.verify(Buffer.from(note.text), note.signatures[0]?.signature ?? Buffer.alloc(0)));
    assert.equal(entry.logID, hash('sha256', rekor.key.publicKey.spki, 'hex'));
  });

  test('at the time that the log says, in seconds', async () => {
    const rekor = await newRekorV1('log.example', () => new Date('2026-06-01T00:00:00.999Z'));
    const { entry } = await enter(rekor, await hashedRekordV1(await newSigner(), 'message'));
    assert.equal(entry.integratedTime, Date.parse('2026-06-01T00:00:00Z') / 1000);
  });

  test('by a certificate, and with those above it', async () => {
    const rekor = await newRekorV1();
    const signer = await newPipeline();
    const proposal = await hashedRekordV1(signer, 'message');
    const pem = [signer.certificate, signer.issuer].map((der) => encodePem('CERTIFICATE', der)).join('');
    const { entry } = await enter(rekor, withKey(proposal, pem));
    const body = JSON.parse(Buffer.from(entry.body, 'base64').toString('utf8')) as typeof proposal;
    assert.equal(Buffer.from(body.spec.signature.publicKey.content, 'base64').toString('utf8'), pem);
  });

  test('with its PEM written anew, so that one entry has one spelling', async () => {
    const rekor = await newRekorV1();
    const signer = await newSigner('rsa-2048');
    const proposal = await hashedRekordV1(signer, 'message');
    const first = await enter(rekor, proposal);
    const pem = encodePublicKey(signer.key.publicKey);
    const pkcs1 = encodePem('RSA PUBLIC KEY', signer.key.publicKey.object.export({ type: 'pkcs1', format: 'der' }));
    for (const other of [`text before\n${pem}\n\n`, pem.replaceAll('\n', '\r\n'), pkcs1])
      assert.equal((await enter(rekor, withKey(proposal, other))).id, first.id);
    assert.equal(rekor.log.tree().size, 1);
  });

  test('as an envelope, whose hash is that of the text as it was sent', async () => {
    const rekor = await newRekorV1();
    const signer = await newPipeline();
    const document = JSON.stringify(envelope([signer], statement(SUBJECT)), undefined, 3);
    const answered = await enter(rekor, dsseV1([signer], document));
    const { spec } = JSON.parse(Buffer.from(answered.entry.body, 'base64').toString('utf8')) as {
      spec: { envelopeHash: { value: string }; payloadHash: { value: string } };
    };
    assert.equal(spec.envelopeHash.value, hash('sha256', document, 'hex'));
    assert.equal(spec.payloadHash.value, hash('sha256', statement(SUBJECT), 'hex'));
    const written = decodeEnvelope(Buffer.from(document), 'it');
    const signature = written.signatures[0]?.sig ?? Buffer.alloc(0);
    const verifier = { kind: 'certificate', certificate: decodeCertificate(signer.certificate, 'it') } as const;
    assert.equal(
      verify(rekor, answered, { signature, verifier, content: { kind: 'envelope', envelope: written } }),
      'accepted',
    );
  });

  test('as an envelope of several signatures, which are kept in the order of their text', async () => {
    const rekor = await newRekorV1();
    const signers = await Promise.all([
      newSigner(),
      newSigner('ecdsa-p384'),
      newSigner('ed25519'),
      newSigner('rsa-2048'),
    ]);
    const document = envelope(signers, statement(SUBJECT));
    const { entry } = await enter(rekor, dsseV1(signers.toReversed(), JSON.stringify(document)));
    const { spec } = JSON.parse(Buffer.from(entry.body, 'base64').toString('utf8')) as {
      spec: { signatures: readonly { signature: string; verifier: string }[] };
    };
    const expected = document.signatures
      .map(({ sig }, index) => ({ signature: sig, verifier: pemOf(signers[index] as TestSigner) }))
      .toSorted((a, b) => (a.signature < b.signature ? -1 : 1));
    assert.deepEqual(spec.signatures, expected);
  });

  test('as intoto 0.0.2, as npm enters its provenance', async () => {
    const rekor = await newRekorV1();
    const signer = await newPipeline();
    const answered = await enter(rekor, intotoV2([signer], statement(SUBJECT)));
    const written = decodeEnvelope(Buffer.from(JSON.stringify(envelope([signer], statement(SUBJECT)))), 'it');
    const body = Buffer.from(answered.entry.body, 'base64').toString('utf8');
    assert.match(body, new RegExp(hash('sha256', statement(SUBJECT), 'hex')));
    assert.doesNotMatch(body, /"payload":/);
    assert.equal(written.payloadType, 'application/vnd.in-toto+json');
  });
});

function withKey(proposal: Awaited<ReturnType<typeof hashedRekordV1>>, pem: string): object {
  const { spec } = proposal;
  const publicKey = { content: Buffer.from(pem).toString('base64') };
  return { ...proposal, spec: { ...spec, signature: { ...spec.signature, publicKey } } };
}

describe('the same entry again', () => {
  test('is answered 201 with the entry that there is, which clients take for what they wanted', async () => {
    const rekor = await newRekorV1();
    const proposal = await hashedRekordV1(await newSigner(), 'message');
    const first = await enter(rekor, proposal);
    await enter(rekor, await hashedRekordV1(await newSigner(), 'another'));
    const again = await enter(rekor, proposal);
    assert.deepEqual(
      [again.id, again.entry.logIndex, again.entry.integratedTime],
      [first.id, 0, first.entry.integratedTime],
    );
    assert.equal(again.entry.verification.inclusionProof.treeSize, 2);
    assert.equal(again.headers['etag'], first.id);
  });
});

describe('an entry is refused', () => {
  test('of a kind that is not taken, by its name', async () => {
    const rekor = await newRekorV1();
    const kinds = [
      ['rekord', '0.0.1'],
      ['intoto', '0.0.1'],
      ['hashedrekord', '0.0.2'],
      ['rfc3161', '0.0.1'],
      ['jar', '0.0.1'],
      ['__proto__', '0.0.1'],
    ];
    for (const [kind, apiVersion] of kinds)
      assert.equal(
        await refused(rekor, { kind, apiVersion, spec: {} }),
        `the entry is of the kind ${kind} ${apiVersion}, this log takes hashedrekord 0.0.1, dsse 0.0.1, intoto 0.0.2`,
      );
  });

  test('whose signature is over something else, or by another key', async () => {
    const rekor = await newRekorV1();
    for (const algorithm of KEY_ALGORITHMS) {
      const signer = await newSigner(algorithm);
      const good = await hashedRekordV1(signer, 'message');
      const { data } = (await hashedRekordV1(signer, 'other')).spec;
      assert.match(await refused(rekor, { ...good, spec: { ...good.spec, data } }), /the signature does not hold/);
      const stranger = encodePublicKey((await newSigner(algorithm)).key.publicKey);
      assert.match(await refused(rekor, withKey(good, stranger)), /the signature does not hold/);
    }
    assert.equal(rekor.log.tree().size, 0);
  });

  test('by a pure signature of Ed25519, of which the log has only the digest', async () => {
    const rekor = await newRekorV1();
    const signer = await newSigner('ed25519');
    const good = await hashedRekordV1(signer, 'message');
    const content = sign(null, Buffer.from('message'), signer.key.object).toString('base64');
    const pure = { ...good, spec: { ...good.spec, signature: { ...good.spec.signature, content } } };
    assert.match(await refused(rekor, pure), /Ed25519 is taken as Ed25519ph over SHA-512/);
  });

  test('by a certificate of another key, or with certificates that are no chain', async () => {
    const rekor = await newRekorV1();
    const [one, two] = [await newPipeline(), await newPipeline()];
    const good = await hashedRekordV1(one, 'message');
    assert.match(await refused(rekor, withKey(good, encodePem('CERTIFICATE', two.certificate))), /does not hold/);
    const foreign = [one.certificate, two.issuer].map((der) => encodePem('CERTIFICATE', der)).join('');
    assert.match(await refused(rekor, withKey(good, foreign)), /the certificates of the entry are no chain/);
    const long = Array(11).fill(encodePem('CERTIFICATE', one.certificate)).join('');
    assert.match(await refused(rekor, withKey(good, long)), /11 PEM blocks/);
    assert.notDeepEqual(certificateKey(decodeCertificate(two.certificate, 'it'), 'it').spki, one.key.publicKey.spki);
  });

  test('whose envelope does not hold, or whose keys did not all sign it', async () => {
    const rekor = await newRekorV1();
    const [one, two] = [await newSigner(), await newSigner()];
    const document = envelope([one], statement(SUBJECT));
    const send = (change: object, signers: readonly TestSigner[]) =>
      dsseV1(signers, JSON.stringify({ ...document, ...change }));
    assert.match(
      await refused(rekor, send({ payloadType: 'text/plain' }, [one])),
      /signature 1 of the envelope does not hold/,
    );
    assert.match(await refused(rekor, send({}, [two])), /does not hold/);
    assert.match(await refused(rekor, send({}, [one, two])), /key 2 of the entry made no signature/);
    assert.match(await refused(rekor, send({ signatures: [] }, [one])), /a list of 0/);
    assert.match(await refused(rekor, send({ payload: 5 }, [one])), /payload/);
    assert.match(await refused(rekor, dsseV1([one], 'no JSON')), /is not JSON/);
    assert.match(await refused(rekor, dsseV1([], JSON.stringify(document))), /no list of 1 to 10/);
    const swapped = intotoV2([one, two], statement(SUBJECT)) as {
      spec: { content: { envelope: { signatures: { publicKey: string }[] } } };
    };
    swapped.spec.content.envelope.signatures.forEach((signature, index) => {
      signature.publicKey = pemOf(index === 0 ? two : one);
    });
    assert.match(await refused(rekor, swapped), /does not hold/);
  });

  test('with a digest, a signature or a key that is none', async () => {
    const rekor = await newRekorV1();
    const good = await hashedRekordV1(await newSigner(), 'message');
    const { spec } = good;
    const hashes = [
      {},
      null,
      { algorithm: 'sha256' },
      { algorithm: 'sha256', value: 'zz' },
      { algorithm: 'sha1', value: '00'.repeat(20) },
      { algorithm: 'sha512', value: spec.data.hash.value },
      { algorithm: 'sha256', value: `${spec.data.hash.value}0` },
    ];
    for (const wrong of hashes) await refused(rekor, { ...good, spec: { ...spec, data: { hash: wrong } } });
    for (const content of ['', '!', 5, null, 'AA'])
      await refused(rekor, { ...good, spec: { ...spec, signature: { ...spec.signature, content } } });
    for (const pem of [
      '',
      'text',
      '-----BEGIN PUBLIC KEY-----',
      encodePem('PUBLIC KEY', Buffer.alloc(9)),
      encodePem('CERTIFICATE', Buffer.alloc(9)),
      encodePem('PGP PUBLIC KEY BLOCK', Buffer.alloc(9)),
      encodePem('EC PRIVATE KEY', Buffer.alloc(9)),
    ])
      await refused(rekor, withKey(good, pem));
    for (const text of ['', 'null', '[]', '{', '5']) await refused(rekor, text);
    await refused(rekor, 'x'.repeat(4 * 1024 * 1024 + 1), 413);
    await refused(rekor, {
      ...good,
      spec: { ...spec, signature: { ...spec.signature, content: Buffer.alloc(1_000_000, 1).toString('base64') } },
    });
  });
});

describe('entries are read', () => {
  test('by their place, by their leaf, and by their whole name', async () => {
    const rekor = await newRekorV1();
    const proposal = await hashedRekordV1(await newSigner(), 'message');
    await enter(rekor, await hashedRekordV1(await newSigner(), 'another'));
    const { id, entry } = await enter(rekor, proposal);
    assert.equal(
      id,
      TREE_ID.toString(16).padStart(16, '0') + Buffer.from(leafHash(Buffer.from(entry.body, 'base64'))).toString('hex'),
    );
    for (const target of [
      `${ENTRIES}?logIndex=1`,
      `${ENTRIES}/${id}`,
      `${ENTRIES}/${id.slice(16)}`,
      `${ENTRIES}/${id.toUpperCase()}`,
    ]) {
      const answered = await ask(rekor.service, 'GET', target);
      assert.equal(answered.status, 200, answered.text);
      const [name, found] = only(answered);
      assert.deepEqual(
        [name, found.body, found.logIndex, found.integratedTime],
        [id, entry.body, 1, entry.integratedTime],
      );
      const [decoded] = decodeRekorEntries(answered.octets, 'it');
      assert.equal(decoded?.[1].logIndex, 1);
    }
  });

  test('or are not there: 404; or are named as none can be: 400', async () => {
    const { service } = await newRekorV1();
    const status = async (target: string) => (await ask(service, 'GET', target)).status;
    for (const target of [
      `${ENTRIES}?logIndex=0`,
      `${ENTRIES}/${'0'.repeat(64)}`,
      `${ENTRIES}/${'1'.repeat(80)}`,
      '/api/v1',
      '/api/v1/log/unknown',
      '/api/v2/log/entries',
    ])
      assert.equal(await status(target), 404, target);
    for (const target of [
      ENTRIES,
      `${ENTRIES}?logIndex=`,
      `${ENTRIES}?logIndex=-1`,
      `${ENTRIES}?logIndex=1e3`,
      `${ENTRIES}?logIndex=99999999999999999`,
      `${ENTRIES}/`,
      `${ENTRIES}/xyz`,
      `${ENTRIES}/${'0'.repeat(63)}`,
    ])
      assert.equal(await status(target), 400, target);
    assert.equal((await ask(service, 'DELETE', `${ENTRIES}/${'0'.repeat(64)}`)).status, 405);
  });

  test('but not under the name of another tree', async () => {
    const rekor = await newRekorV1();
    const { id } = await enter(rekor, await hashedRekordV1(await newSigner(), 'message'));
    const other = `${'0'.repeat(15)}1${id.slice(16)}`;
    assert.equal((await ask(rekor.service, 'GET', `${ENTRIES}/${other}`)).status, 404);
  });

  test('several at once, those that there are; ten at most', async () => {
    const rekor = await newRekorV1();
    const proposal = await hashedRekordV1(await newSigner(), 'message');
    const { id } = await enter(rekor, proposal);
    const retrieve = async (query: object) => await ask(rekor.service, 'POST', `${ENTRIES}/retrieve`, query);
    const absent = await hashedRekordV1(await newSigner(), 'absent');
    const unknown = { kind: 'intoto', apiVersion: '0.0.1', spec: {} };
    const found = await retrieve({
      entryUUIDs: [id, '0'.repeat(64)],
      logIndexes: [0, 7],
      entries: [proposal, absent, unknown],
    });
    assert.equal(found.status, 200, found.text);
    assert.deepEqual(
      (found.json() as object[]).map((entry) => Object.keys(entry)),
      [[id], [id], [id]],
    );
    assert.equal((await retrieve({ entryUUIDs: null, logIndexes: null, entries: [proposal] })).status, 200);
    assert.equal((await retrieve({ logIndexes: Array(10).fill(0) })).status, 200);
    assert.equal((await retrieve({ logIndexes: Array(11).fill(0) })).status, 422);
    assert.equal((await retrieve({})).status, 422);
    for (const query of [
      [],
      { entryUUIDs: 'x' },
      { entryUUIDs: ['x'] },
      { logIndexes: ['0'] },
      { logIndexes: [-1] },
      { entries: [5] },
    ])
      assert.equal((await retrieve(query)).status, 400, JSON.stringify(query));
  });
});

describe('the log says of itself', () => {
  test('how large it is, and its key', async () => {
    const rekor = await newRekorV1('log.example');
    await enter(rekor, await hashedRekordV1(await newSigner(), 'message'));
    const info = (await ask(rekor.service, 'GET', '/api/v1/log')).json() as Record<string, unknown>;
    const { rootHash, checkpoint } = rekor.log.tree();
    assert.deepEqual(info, {
      inactiveShards: [],
      rootHash: Buffer.from(rootHash).toString('hex'),
      signedTreeHead: checkpoint,
      treeID: '1193050959916656506',
      treeSize: 1,
    });
    const key = await ask(rekor.service, 'GET', `/api/v1/log/publicKey?treeID=${TREE_ID}`);
    assert.equal(key.text, encodePublicKey(rekor.key.publicKey));
    assert.equal(key.headers['content-type'], 'application/x-pem-file');
    assert.equal((await ask(rekor.service, 'GET', '/api/v1/log/publicKey?treeID=7')).status, 400);
  });

  test('that it only grows', async () => {
    const rekor = await newRekorV1();
    const trees = [];
    for (let index = 0; index < 7; index++) {
      await enter(rekor, await hashedRekordV1(await newSigner(), `message ${index}`));
      const { size, rootHash } = rekor.log.tree();
      trees.push({ size, root: rootHash });
    }
    const [first, last] = [trees[2], trees[6]];
    assert.ok(first !== undefined && last !== undefined);
    const { hashes, rootHash } = (
      await ask(rekor.service, 'GET', '/api/v1/log/proof?firstSize=3&lastSize=7')
    ).json() as { hashes: string[]; rootHash: string };
    assert.ok(
      verifyConsistency(
        first,
        last,
        hashes.map((one) => Buffer.from(one, 'hex')),
      ),
    );
    assert.equal(rootHash, Buffer.from(last.root).toString('hex'));
    for (const query of [
      '',
      'lastSize=8',
      'firstSize=0&lastSize=3',
      'firstSize=5&lastSize=4',
      'lastSize=x',
      `lastSize=3&treeID=1`,
    ])
      assert.equal((await ask(rekor.service, 'GET', `/api/v1/log/proof?${query}`)).status, 400, query);
  });
});

test('a tree id that none can be is refused when the service is made', async () => {
  const { log, key } = await newRekorV1();
  for (const treeId of [0n, -1n, 1n << 63n])
    assert.throws(() => createRekorV1Service({ log, treeId, signer: keySigner(key) }), { code: 'settings-malformed' });
});

test('no request, however malformed, is answered by anything but a coded error', async () => {
  const rekor = await newRekorV1();
  const signer = await newSigner();
  const goods = [
    await hashedRekordV1(signer, 'x'),
    dsseV1([signer], JSON.stringify(envelope([signer], 'x'))),
    intotoV2([signer], 'x'),
  ];
  const texts = goods.map((good) => JSON.stringify(good));
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc.tuple(fc.constantFrom(...texts), fc.nat(), fc.string({ maxLength: 3 })).map(([text, at, piece]) => {
      const place = at % text.length;
      return text.slice(0, place) + piece + text.slice(place + 1);
    }),
  );
  await fc.assert(
    fc.asyncProperty(
      anything,
      fc.constantFrom(ENTRIES, `${ENTRIES}/retrieve`, '/api/v1/index/retrieve'),
      async (text, path) => {
        const { status } = await ask(rekor.service, 'POST', path, text);
        assert.ok([200, 201, 400, 413, 422].includes(status), `${status}: ${text}`);
      },
    ),
    { numRuns: 400 },
  );
});
