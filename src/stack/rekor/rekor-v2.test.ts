// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  certificateKey,
  decodeCertificate,
  decodeCheckpoint,
  decodeLogBody,
  decodeLogEntry,
  decodeNote,
  KEY_ALGORITHMS,
  leafHash,
  verifyInclusion,
  verifyLogEntry,
  type LogEntry,
} from '../../trust/index.ts';
import { LogError } from '../log/log-error.ts';
import { newPipeline } from './pipeline.fixture.ts';
import { createRekorV2Service } from './rekor-v2.ts';
import {
  ask,
  envelope,
  hashedRekordV2,
  newRekorV2,
  newSigner,
  signLogged,
  statement,
  verifierV2,
  type TestRekor,
} from './rekor.fixture.ts';

const ENTRIES = '/api/v2/log/entries';
const recorded = (name: string): Buffer =>
  readFileSync(join(import.meta.dirname, `../../../test/golden/_http/POST-rekor2_api_v2_log_entries-${name}`));
const SUBJECT = hash('sha256', 'an image', 'hex');

async function enter({ service }: TestRekor, request: object): Promise<LogEntry> {
  const answered = await ask(service, 'POST', ENTRIES, request);
  assert.equal(answered.status, 201, answered.text);
  assert.equal(answered.headers['content-type'], 'application/json');
  return decodeLogEntry(answered.octets, 'the answer');
}

async function refused(rekor: TestRekor, request: object | string, status = 400): Promise<string> {
  const answered = await ask(rekor.service, 'POST', ENTRIES, request);
  assert.equal(answered.status, status, answered.text);
  const { code, message } = answered.json() as { code: number; message: string };
  assert.equal(code, status);
  assert.doesNotMatch(message, /\n/);
  return message;
}

const bodyText = ({ canonicalizedBody }: LogEntry): string => Buffer.from(canonicalizedBody).toString('utf8');

describe('an entry is taken', () => {
  for (const algorithm of KEY_ALGORITHMS) {
    test(`by a key of type ${algorithm}, and verifies against the log's key`, async () => {
      const rekor = await newRekorV2('log.example');
      const signer = await newSigner(algorithm);
      const request = await hashedRekordV2(signer, 'message');
      const entry = await enter(rekor, request);
      const signature = Buffer.from(request.hashedRekordRequestV002.signature.content, 'base64');
      const verifier = { kind: 'public-key', key: signer.key.publicKey } as const;
      const content = { kind: 'bytes', bytes: Buffer.from('message') } as const;
      const check = verifyLogEntry(entry, { signature, verifier, content }, [rekor.trusted]);
      assert.equal(check.kind, 'accepted', JSON.stringify(check));
      const other = { kind: 'bytes', bytes: Buffer.from('other') } as const;
      assert.equal(verifyLogEntry(entry, { signature, verifier, content: other }, [rekor.trusted]).kind, 'rejected');
    });
  }

  for (const name of ['v002-key', 'v002-cert'])
    test(`as cosign 3.1 sends it, and is kept byte for byte as the recorded log keeps it (${name})`, async () => {
      const rekor = await newRekorV2();
      const answered = await ask(rekor.service, 'POST', ENTRIES, recorded(`${name}.req`));
      const theirs = JSON.parse(recorded(`${name}.resp`).toString('utf8')) as { canonicalizedBody: string };
      const ours = answered.json() as Record<string, unknown>;
      assert.equal(ours['canonicalizedBody'], theirs.canonicalizedBody);
      assert.deepEqual(Object.keys(ours), [
        'logIndex',
        'logId',
        'kindVersion',
        'integratedTime',
        'inclusionPromise',
        'inclusionProof',
        'canonicalizedBody',
      ]);
      assert.deepEqual([ours['integratedTime'], ours['inclusionPromise'], ours['logIndex']], ['0', null, '0']);
      assert.deepEqual(ours['kindVersion'], { kind: 'hashedrekord', version: '0.0.2' });
    });

  test('in either spelling of ProtoJSON', async () => {
    const rekor = await newRekorV2();
    const camel = await hashedRekordV2(await newPipeline(), 'message');
    const first = await enter(rekor, camel);
    const snake = JSON.stringify(camel)
      .replace('hashedRekordRequestV002', 'hashed_rekord_request_v002')
      .replace('x509Certificate', 'x509_certificate')
      .replace('rawBytes', 'raw_bytes')
      .replace('keyDetails', 'key_details');
    assert.notEqual(snake, JSON.stringify(camel));
    const answered = await ask(rekor.service, 'POST', ENTRIES, snake);
    assert.equal(answered.status, 201, answered.text);
    assert.deepEqual(decodeLogEntry(answered.octets, 'it').canonicalizedBody, first.canonicalizedBody);
    assert.equal(rekor.log.tree().size, 1);
  });

  test('with a proof and a checkpoint of its origin, in the same answer', async () => {
    const rekor = await newRekorV2('log.example');
    for (let index = 0; index < 5; index++) {
      const entry = await enter(rekor, await hashedRekordV2(await newSigner(), `message ${index}`));
      const { inclusionProof: proof } = entry;
      assert.ok(proof?.checkpoint !== undefined);
      const tree = decodeCheckpoint(decodeNote(proof.checkpoint, 'it').text, 'it');
      assert.deepEqual(
        [tree.origin, tree.size, proof.treeSize, entry.logIndex],
        ['log.example', index + 1, index + 1, index],
      );
      assert.ok(verifyInclusion(leafHash(entry.canonicalizedBody), index, tree, proof.hashes));
      assert.deepEqual(Buffer.from(entry.logKeyId ?? []), Buffer.from(rekor.trusted.logId));
    }
  });

  test('as an envelope, as cosign 3.0 sends it', async () => {
    const rekor = await newRekorV2();
    const signer = await newPipeline();
    const document = envelope([signer], statement(SUBJECT));
    const entry = await enter(rekor, { dsseRequestV002: { envelope: document, verifiers: [verifierV2(signer)] } });
    const body = JSON.parse(bodyText(entry)) as { spec: { dsseV002: Record<string, unknown> } };
    assert.deepEqual(entry.kindVersion, { kind: 'dsse', version: '0.0.2' });
    assert.deepEqual(body, {
      apiVersion: '0.0.2',
      kind: 'dsse',
      spec: {
        dsseV002: {
          payloadHash: { algorithm: 'SHA2_256', digest: hash('sha256', statement(SUBJECT), 'base64') },
          signatures: [
            {
              content: document.signatures[0]?.sig,
              verifier: {
                keyDetails: 'PKIX_ECDSA_P256_SHA_256',
                x509Certificate: { rawBytes: Buffer.from(signer.certificate).toString('base64') },
              },
            },
          ],
        },
      },
    });
  });

  test('as an envelope with a pure signature by Ed25519, since the log has what was signed', async () => {
    const rekor = await newRekorV2();
    const signer = await newSigner('ed25519');
    const verifier = { ...verifierV2(signer), keyDetails: 'PKIX_ED25519' };
    const document = envelope([signer], statement(SUBJECT));
    const entry = await enter(rekor, { dsseRequestV002: { envelope: document, verifiers: [verifier] } });
    assert.match(bodyText(entry), /"PKIX_ED25519"/);
    // Said to be prehashed, it does not hold.
    const prehashed = { dsseRequestV002: { envelope: document, verifiers: [verifierV2(signer)] } };
    assert.match(await refused(rekor, prehashed), /made as ed25519, expected PKIX_ED25519_PH/);
  });

  test('as an envelope of two signatures by two keys', async () => {
    const rekor = await newRekorV2();
    const [one, two] = [await newSigner(), await newSigner('rsa-2048')];
    const document = envelope([one, two], 'anything', 'text/plain');
    const entry = await enter(rekor, {
      dsseRequestV002: { envelope: document, verifiers: [verifierV2(two), verifierV2(one)] },
    });
    const { signatures } = decodeLogBody(entry.canonicalizedBody) as {
      signatures: readonly { signature: Uint8Array }[];
    };
    assert.deepEqual(
      signatures.map(({ signature }) => Buffer.from(signature).toString('base64')),
      document.signatures.map(({ sig }) => sig),
    );
  });
});

describe('the same entry again', () => {
  test('is answered 201 with the first entry, and a proof in the newest tree', async () => {
    const rekor = await newRekorV2();
    const request = await hashedRekordV2(await newSigner(), 'message');
    const first = await enter(rekor, request);
    await enter(rekor, await hashedRekordV2(await newSigner(), 'another'));
    const again = await enter(rekor, request);
    assert.deepEqual([again.logIndex, again.canonicalizedBody], [first.logIndex, first.canonicalizedBody]);
    assert.equal(again.inclusionProof?.treeSize, 2);
    assert.equal(rekor.log.tree().size, 2);
  });

  test('at the same time is one entry', async () => {
    const rekor = await newRekorV2();
    const request = await hashedRekordV2(await newSigner(), 'message');
    const all = await Promise.all(Array.from({ length: 8 }, async () => await enter(rekor, request)));
    assert.deepEqual(new Set(all.map(({ logIndex }) => logIndex)), new Set([0]));
  });

  test('is answered by a shard that takes no more entries; a new one is refused 405', async () => {
    let frozen = false;
    const rekor = await newRekorV2('127.0.0.1', () => frozen);
    const request = await hashedRekordV2(await newSigner(), 'message');
    await enter(rekor, request);
    frozen = true;
    assert.equal((await enter(rekor, request)).logIndex, 0);
    const other = await hashedRekordV2(await newSigner(), 'another');
    assert.equal(await refused(rekor, other, 405), 'This log has been frozen, please switch to the latest log.');
    assert.equal((await ask(rekor.service, 'GET', '/checkpoint')).status, 200);
  });
});

describe('an entry is refused', () => {
  test('whose signature is over something else, or by another key', async () => {
    const rekor = await newRekorV2();
    for (const algorithm of KEY_ALGORITHMS) {
      const signer = await newSigner(algorithm);
      const good = await hashedRekordV2(signer, 'message');
      const other = await hashedRekordV2(signer, 'another');
      const { hashedRekordRequestV002: request } = good;
      const moved = { ...request, digest: other.hashedRekordRequestV002.digest };
      assert.match(await refused(rekor, { hashedRekordRequestV002: moved }), /the signature does not hold/);
      const stranger = { ...request.signature, verifier: verifierV2(await newSigner(algorithm)) };
      assert.match(
        await refused(rekor, { hashedRekordRequestV002: { ...request, signature: stranger } }),
        /does not hold/,
      );
    }
    assert.equal(rekor.log.tree().size, 0);
  });

  test('by a certificate of another key', async () => {
    const rekor = await newRekorV2();
    const [one, two] = [await newPipeline(), await newPipeline()];
    const request = await hashedRekordV2({ key: one.key, certificate: two.certificate }, 'message');
    assert.match(await refused(rekor, request), /the signature does not hold/);
    const key = certificateKey(decodeCertificate(two.certificate, 'it'), 'it');
    assert.notDeepEqual(key.spki, one.key.publicKey.spki);
  });

  test('whose envelope was changed, has a signature by nobody, or a key that signed nothing', async () => {
    const rekor = await newRekorV2();
    const [one, two] = [await newSigner(), await newSigner()];
    const document = envelope([one], statement(SUBJECT));
    const request = (change: object, verifiers: readonly object[]) => ({
      dsseRequestV002: { envelope: { ...document, ...change }, verifiers },
    });
    const changed = Buffer.from(statement(hash('sha256', 'other', 'hex'))).toString('base64');
    assert.match(
      await refused(rekor, request({ payload: changed }, [verifierV2(one)])),
      /signature 1 .* does not hold/,
    );
    assert.match(await refused(rekor, request({ payloadType: 'text/plain' }, [verifierV2(one)])), /does not hold/);
    assert.match(await refused(rekor, request({}, [verifierV2(two)])), /does not hold/);
    assert.match(
      await refused(rekor, request({}, [verifierV2(one), verifierV2(two)])),
      /key 2 of the entry made no signature/,
    );
    const signatures = [...document.signatures, ...envelope([two], 'other').signatures];
    assert.match(
      await refused(rekor, request({ signatures }, [verifierV2(one), verifierV2(two)])),
      /signature 2 .* does not hold/,
    );
  });

  test('whose key is of another kind than it says, or of one that is not taken', async () => {
    const rekor = await newRekorV2();
    const request = async (algorithm: 'ecdsa-p256' | 'ed25519', keyDetails: unknown) => {
      const signer = await newSigner(algorithm);
      const { hashedRekordRequestV002: good } = await hashedRekordV2(signer, 'message');
      const verifier = { ...verifierV2(signer), keyDetails };
      return { hashedRekordRequestV002: { ...good, signature: { ...good.signature, verifier } } };
    };
    assert.match(
      await refused(rekor, await request('ecdsa-p256', 'PKIX_ECDSA_P384_SHA_384')),
      /ecdsa-p256 as PKIX_ECDSA_P384_SHA_384, expected PKIX_ECDSA_P256_SHA_256/,
    );
    assert.match(await refused(rekor, await request('ed25519', 'PKIX_ED25519')), /expected PKIX_ED25519_PH/);
    for (const details of ['PKIX_RSA_PSS_2048_SHA256', 'ML_DSA_65', '', undefined, 5])
      assert.match(
        await refused(rekor, await request('ecdsa-p256', details)),
        /keyDetails is .*, expected PKIX_ECDSA_P256_SHA_256/,
      );
  });

  test('whose digest has another length than goes with its key', async () => {
    const rekor = await newRekorV2();
    const { hashedRekordRequestV002: good } = await hashedRekordV2(await newSigner(), 'message');
    for (const length of [1, 20, 31, 33, 48, 64]) {
      const digest = Buffer.alloc(length, 7).toString('base64');
      assert.match(
        await refused(rekor, { hashedRekordRequestV002: { ...good, digest } }),
        /a digest of \d+ bytes, expected 32 of sha256/,
      );
    }
  });

  test('with a field that is not known, at every level', async () => {
    const rekor = await newRekorV2();
    const good = await hashedRekordV2(await newSigner(), 'message');
    const places = (value: unknown, path: readonly string[] = []): readonly (readonly string[])[] =>
      typeof value === 'object' && value !== null
        ? [path, ...Object.entries(value).flatMap(([name, inner]) => places(inner, [...path, name]))]
        : [];
    for (const path of places(good)) {
      const copy = structuredClone(good) as unknown as Record<string, unknown>;
      const target = path.reduce<Record<string, unknown>>((at, name) => at[name] as Record<string, unknown>, copy);
      target['surprise'] = 1;
      assert.match(await refused(rekor, copy), /has an unknown field 'surprise'/);
    }
  });

  test('that is none, is two, or is of a kind that is not known', async () => {
    const rekor = await newRekorV2();
    const good = await hashedRekordV2(await newSigner(), 'message');
    assert.match(await refused(rekor, {}), /has no entry, expected a hashedRekordRequestV002 or a dsseRequestV002/);
    assert.match(await refused(rekor, { ...good, dsseRequestV002: {} }), /two entries/);
    assert.match(await refused(rekor, { jarRequestV002: {} }), /unknown field 'jarRequestV002'/);
    for (const text of ['', 'null', '[]', '{', '"text"', '\u0000']) await refused(rekor, text);
  });

  test('of 1 MB that is no signature; and of more than 4 MiB, before it is read', async () => {
    const rekor = await newRekorV2();
    const { hashedRekordRequestV002: good } = await hashedRekordV2(await newSigner(), 'message');
    const content = Buffer.alloc(1_000_000, 1).toString('base64');
    await refused(rekor, { hashedRekordRequestV002: { ...good, signature: { ...good.signature, content } } });
    await refused(rekor, 'x'.repeat(4 * 1024 * 1024 + 1), 413);
    const announced = await ask(rekor.service, 'POST', ENTRIES, '{}', { 'content-length': '5000000' });
    assert.equal(announced.status, 413);
    assert.equal(rekor.log.tree().size, 0);
  });

  test('of more than fits in a tile of entries; however long a payload is, only its hash is kept', async () => {
    const rekor = await newRekorV2();
    const long = await newPipeline(undefined, { issuer: 'https://issuer.example', tokenSubject: 'x'.repeat(60_000) });
    assert.match(await refused(rekor, await hashedRekordV2(long, 'message')), /at most 65535 fit in a tile/);
    const signer = await newSigner();
    const document = envelope([signer], 'x'.repeat(1_000_000), 'text/plain');
    const entry = await enter(rekor, { dsseRequestV002: { envelope: document, verifiers: [verifierV2(signer)] } });
    assert.ok(entry.canonicalizedBody.length < 1000);
  });

  test('of more signatures, or more keys, than are tried', async () => {
    const rekor = await newRekorV2();
    const signer = await newSigner();
    const document = envelope([signer], 'x', 'text/plain');
    const signatures = Array.from({ length: 11 }, () => document.signatures[0]);
    const verifiers = signatures.map(() => verifierV2(signer));
    const many = { dsseRequestV002: { envelope: { ...document, signatures }, verifiers: [verifierV2(signer)] } };
    assert.match(await refused(rekor, many), /a list of 11, at most 10/);
    assert.match(
      await refused(rekor, { dsseRequestV002: { envelope: document, verifiers } }),
      /a list of 11, at most 10/,
    );
  });
});

describe('a log that cannot', () => {
  const failing = async (error: Error) => {
    const rekor = await newRekorV2();
    const append = async (): Promise<never> => {
      throw error;
    };
    const log = { ...rekor.log, tree: () => rekor.log.tree(), append };
    const { service } = createRekorV2Service({ log, origin: '127.0.0.1', publicKey: rekor.key.publicKey });
    return await ask(service, 'POST', ENTRIES, await hashedRekordV2(await newSigner(), 'message'));
  };

  test('take more for now says 503 and when to come back', async () => {
    for (const code of ['log-busy', 'witness-missing', 'publication-failed', 'log-closed'] as const) {
      const { status, headers } = await failing(new LogError(code, 'why'));
      assert.deepEqual([status, headers['retry-after']], [503, '1'], code);
    }
    assert.equal((await failing(new LogError('log-full', 'no space'))).status, 507);
  });

  test('say what went wrong inside says nothing', async () => {
    for (const error of [new Error('secret'), new LogError('log-inconsistent', 'secret')]) {
      const { status, text } = await failing(error);
      assert.equal(status, 500);
      assert.doesNotMatch(text, /secret/);
    }
  });
});

test('what is not there is 404, and what cannot be done is 405', async () => {
  const { service } = await newRekorV2();
  for (const path of ['/', '/api/v2', '/api/v2/log', '/api/v2/log/entries/', '/api/v1/log', '/api/v2/log/entries/0'])
    assert.equal((await ask(service, 'POST', path, '{}')).status, 404, path);
  for (const [method, path] of [
    ['GET', ENTRIES],
    ['DELETE', ENTRIES],
    ['POST', '/checkpoint'],
    ['PUT', '/tile/0/000'],
    ['GET', '/api/v2/index/retrieve'],
  ] as const)
    assert.equal((await ask(service, method, path)).status, 405, path);
});

test('no request, however malformed, is answered by anything but a coded error', async () => {
  const rekor = await newRekorV2();
  const good = JSON.stringify(await hashedRekordV2(await newPipeline(), 'message'));
  const dsse = JSON.stringify({ dsseRequestV002: { envelope: envelope([await newSigner()], 'x'), verifiers: [{}] } });
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc.tuple(fc.constantFrom(good, dsse), fc.nat(), fc.string({ maxLength: 3 })).map(([text, at, piece]) => {
      const place = at % text.length;
      return text.slice(0, place) + piece + text.slice(place + 1);
    }),
  );
  await fc.assert(
    fc.asyncProperty(anything, async (text) => {
      const { status } = await ask(rekor.service, 'POST', ENTRIES, text);
      assert.ok([201, 400, 413].includes(status), `${status}: ${text}`);
    }),
    { numRuns: 300 },
  );
});

test('a signer that comes again is read once, and what it signs is verified each time', async () => {
  const rekor = await newRekorV2();
  const signer = await newPipeline();
  for (const message of ['one', 'two', 'three']) await enter(rekor, await hashedRekordV2(signer, message));
  const { hashedRekordRequestV002: good } = await hashedRekordV2(signer, 'four');
  const wrong = {
    ...good,
    signature: { ...good.signature, content: (await signLogged(signer, 'five')).toString('base64') },
  };
  assert.match(await refused(rekor, { hashedRekordRequestV002: wrong }), /does not hold/);
  assert.equal(rekor.log.tree().size, 3);
});
