// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  decodeCertificates,
  decodePublicKey,
  decodeTrustedRoot,
  encodeCheckpoint,
  encodeLogBody,
  generatePrivateKey,
  keySigner,
  leafHash,
  loggedScheme,
  noteKeyHash,
  noteSigner,
  RightEdge,
  signNote,
  TILE_WIDTH,
  verifyLogEntry,
  type LogEntry,
  type LoggedSignature,
  type PrivateKey,
  type TransparencyLog,
} from '../../trust/index.ts';
import { CodedError, WireError } from '../../wire/index.ts';
import { openSigstoreDouble, REKOR, REKOR2, type SigstoreDouble } from '../sigstore-double.fixture.ts';
import { jsonBody, tokenServer, type TokenAnswer, type TokenServer } from '../token/token-transport.fixture.ts';
import { logWitness, type LogWitnessOptions } from './log-witness.ts';

const GOLDEN = join(import.meta.dirname, '../../../test/golden');
const recorded = (name: string): Buffer => readFileSync(join(GOLDEN, '_http', name));
const BYTES = Buffer.from('what is signed');

async function signedBy(key: PrivateKey, scheme = loggedScheme(key.publicKey)): Promise<LoggedSignature> {
  const signature = await keySigner(key, scheme).sign(BYTES);
  return { signature, verifier: { kind: 'public-key', key: key.publicKey }, content: { kind: 'bytes', bytes: BYTES } };
}

function enter(signed: LoggedSignature, majorApiVersion: 1 | 2, options: LogWitnessOptions): Promise<LogEntry> {
  return logWitness({ url: majorApiVersion === 1 ? REKOR : REKOR2, majorApiVersion }, options).enter(signed);
}

describe('entering a signature into a log', () => {
  let double: SigstoreDouble;
  let key: PrivateKey;
  let signed: LoggedSignature;
  before(async () => {
    double = await openSigstoreDouble();
    key = await generatePrivateKey('ecdsa-p256');
    signed = await signedBy(key);
  });

  for (const version of [1, 2] as const) {
    it(`gives the entry, of Rekor v${version}, with kind and version, which holds against the trusted root`, async () => {
      const entry = await enter(signed, version, { http: double.server.client });
      assert.deepEqual(entry.kindVersion, { kind: 'hashedrekord', version: version === 1 ? '0.0.1' : '0.0.2' });
      const check = verifyLogEntry(entry, signed, double.trustedRoot.logs);
      assert.ok(
        check.kind === 'accepted' && check.included && check.promised === (version === 1),
        JSON.stringify(check),
      );
    });
  }

  it('is the entry that the log has already, from that log, wherever the answer says it is', async () => {
    const first = await enter(signed, 1, { http: double.server.client });
    double.server.asked.length = 0;
    const again = await enter(signed, 1, { http: double.server.client });
    assert.deepEqual(again, first);
    assert.match(double.server.lines()[1] ?? '', new RegExp(`^GET ${REKOR}/api/v1/log/entries/[0-9a-f]{80}$`));
  });

  it('finds the entry that is there already by the message, and by a search where nothing says its name', async () => {
    const first = await enter(signed, 1, { http: double.server.client });
    for (const [message, line] of [
      [undefined, /^GET .*\/entries\/[0-9a-f]{80}$/],
      ['it is there', /^POST .*\/entries\/retrieve$/],
    ] as const) {
      double.meddle(async (_request, answer) => {
        const { headers: _headers, ...rest } = await answer();
        return rest.status === 409 && message !== undefined ? { status: 409, body: { message } } : rest;
      });
      assert.deepEqual(await enter(signed, 1, { http: double.server.client }), first);
      assert.match(double.server.lines().at(-1) ?? '', line);
    }
    double.meddle(() => undefined);
  });

  it('makes one entry where the answer was lost and the request is sent again', async () => {
    const fresh = await signedBy(await generatePrivateKey('ecdsa-p256'));
    let lost = false;
    double.meddle(async (_request, answer) => {
      const given = await answer();
      if (lost) return given;
      lost = true;
      throw new WireError('connection-reset', 'the answer is lost');
    });
    const entry = await enter(fresh, 1, { http: double.server.client });
    double.meddle(() => undefined);
    assert.equal(verifyLogEntry(entry, fresh, double.trustedRoot.logs).kind, 'accepted');
    assert.deepEqual(await enter(fresh, 1, { http: double.server.client }), entry);
  });

  it('refuses an entry about another signature, and one without what readers need', async () => {
    const other = await signedBy(await generatePrivateKey('ecdsa-p256'));
    for (const version of [1, 2] as const) {
      let stolen: TokenAnswer | undefined;
      double.meddle(async (_request, answer) => (stolen = await answer()));
      await enter(other, version, { http: double.server.client });
      double.meddle(() => stolen);
      await assert.rejects(enter(signed, version, { http: double.server.client }), {
        code: 'answer-mismatch',
        message: /an entry of the signature .*, expected of the signature /,
      });
      for (const lost of version === 1
        ? ['inclusionProof', 'signedEntryTimestamp']
        : ['inclusionProof', 'checkpoint']) {
        double.meddle(async (_request, answer) => ({
          ...(await answer()),
          body: without((await answer()).body, lost),
        }));
        const fresh = await signedBy(await generatePrivateKey('ecdsa-p256'));
        await assert.rejects(enter(fresh, version, { http: double.server.client }), { code: 'answer-malformed' });
      }
    }
    double.meddle(() => undefined);
  });

  it('sends to Rekor v2 what cosign 3 sends, and reads what a real log answered', async () => {
    for (const name of ['cert', 'key'] as const) {
      const request = JSON.parse(recorded(`POST-rekor2_api_v2_log_entries-v002-${name}.req`).toString()) as V2Request;
      const server = tokenServer(() => ({
        status: 201,
        body: recorded(`POST-rekor2_api_v2_log_entries-v002-${name}.resp`),
      }));
      const of = recordedSignature(request);
      // Only the digest is in the recording, so that the request cannot be made anew; the answer can be read.
      await assert.rejects(enter(of, 2, { http: server.client }), { code: 'signature-unloggable' });
      const sent = await sentFor(2);
      assert.deepEqual(shapeOf(sent), shapeOf(name === 'key' ? request : withKey(request)));
    }
  });

  it('sends to Rekor v1 what cosign sends', async () => {
    const request = JSON.parse(recorded('POST-rekor1_api_v1_log_entries-hashedrekord.req').toString()) as unknown;
    assert.deepEqual(shapeOf(await sentFor(1)), shapeOf(request));
  });

  it('reads what a real log of Rekor v1 answered about an envelope, and it holds', async () => {
    const { spec } = JSON.parse(recorded('POST-rekor1_api_v1_log_entries-dsse.req').toString()) as {
      spec: { proposedContent: { envelope: string; verifiers: [string] } };
    };
    const said = JSON.parse(spec.proposedContent.envelope) as {
      payload: string;
      payloadType: string;
      signatures: [{ sig: string }];
    };
    const sig = Buffer.from(said.signatures[0].sig, 'base64');
    const payload = Buffer.from(said.payload, 'base64');
    const [certificate] = decodeCertificates(Buffer.from(spec.proposedContent.verifiers[0], 'base64'), 'it');
    const of: LoggedSignature = {
      signature: sig,
      verifier: { kind: 'certificate', certificate },
      content: { kind: 'envelope', envelope: { payloadType: said.payloadType, payload, signatures: [{ sig }] } },
    };
    const server = tokenServer(() => ({ status: 201, body: recorded('POST-rekor1_api_v1_log_entries-dsse.resp') }));
    const entry = await enter(of, 1, { http: server.client });
    const { proposedContent } = spec;
    const sent = jsonBody(server.asked[0] ?? assert.fail());
    assert.deepEqual(sent, { apiVersion: '0.0.1', spec: { proposedContent }, kind: 'dsse' });
    const root = decodeTrustedRoot(readFileSync(join(GOLDEN, '_stack/trusted_root.json')), 'trusted_root.json');
    const check = verifyLogEntry(entry, of, root.logs);
    assert.ok(check.kind === 'accepted' && check.included && check.promised, JSON.stringify(check));
  });

  it('refuses to tell a log what it would not take, and asks nobody', async () => {
    const asked = tokenServer(() => assert.fail('asked'));
    const options = { http: asked.client };
    const p384 = await generatePrivateKey('ecdsa-p384');
    const ed25519 = await generatePrivateKey('ed25519');
    const refused = { code: 'signature-unloggable' };
    await assert.rejects(enter(await signedBy(p384, 'ecdsa-p384-sha256'), 2, options), {
      ...refused,
      message: /takes signatures by a key of type ecdsa-p384 as ecdsa-p384-sha384, and this one is ecdsa-p384-sha256$/,
    });
    for (const version of [1, 2] as const) {
      await assert.rejects(enter(await signedBy(ed25519, 'ed25519'), version, options), refused);
      await assert.rejects(enter({ ...signed, signature: Buffer.from('none') }, version, options), refused);
    }
    const onP384 = await enter(await signedBy(p384, 'ecdsa-p384-sha256'), 1, { http: double.server.client });
    assert.equal(onP384.kindVersion?.kind, 'hashedrekord');
  });

  it('tells a refusal from a failure, in the words of the log', async () => {
    for (const version of [1, 2] as const) {
      double.meddle(() => ({ status: 400, body: { code: 400, message: 'verifying signature: no' } }));
      await assert.rejects(enter(signed, version, { http: double.server.client }), {
        code: 'service-refused',
        message: /^the transparency log https:\/\/log\.example\/rekor2?.* answers 400: verifying signature: no$/,
      });
      const frozen = 'This log has been frozen, please switch to the latest log.';
      double.meddle(() => ({ status: 405, headers: { 'content-type': 'text/plain' }, body: frozen }));
      await assert.rejects(enter(signed, version, { http: double.server.client }), { message: new RegExp(frozen) });
      double.meddle(() => ({ status: 503, body: 'reached max pushback; retry' }));
      await assert.rejects(enter(signed, version, { http: double.server.client }), { code: 'service-unavailable' });
    }
    double.meddle(() => undefined);
  });

  it('throws nothing but coded errors, whatever is answered', async () => {
    const server: { answer: TokenAnswer } = { answer: { body: '' } };
    const { client: http } = tokenServer(() => server.answer);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string(), fc.json(), fc.dictionary(fc.constant('a'.repeat(80)), fc.jsonValue())),
        fc.constantFrom(200, 201, 400, 409),
        fc.constantFrom(1, 2),
        async (body, status, version) => {
          server.answer = { status, body };
          await assert.rejects(enter(signed, version, { http }), CodedError);
        },
      ),
      { numRuns: 150 },
    );
  });

  async function sentFor(version: 1 | 2): Promise<unknown> {
    const server = tokenServer(() => ({ status: 400, body: '' }));
    await enter(signed, version, { http: server.client }).catch(() => undefined);
    return jsonBody(server.asked[0] ?? assert.fail());
  }
});

describe('a log of Rekor v2 that says no more than that it has a signature already', () => {
  const FILLERS = 700;
  let key: PrivateKey;
  let signed: LoggedSignature;
  let log: TransparencyLog;
  let files: Map<string, Uint8Array>;
  const INDEX = 300;

  before(async () => {
    key = await generatePrivateKey('ecdsa-p256');
    signed = await signedBy(key);
    const server = tokenServer(() => ({ status: 400, body: '' }));
    await enter(signed, 2, { http: server.client }).catch(() => undefined);
    const body = bodyOf(jsonBody(server.asked[0] ?? assert.fail()) as V2Request);
    const logKey = await generatePrivateKey('ed25519');
    const logId = noteKeyHash('log.example', logKey.publicKey);
    log = { baseUrl: 'https://log.example', publicKey: logKey.publicKey, logId };
    const edge = new RightEdge();
    const leaves: Uint8Array[] = [];
    for (let index = 0; index < FILLERS; index++) {
      const leaf = leafHash(index === INDEX ? body : Buffer.from(`filler ${index}`));
      edge.append(leaf);
      leaves.push(leaf);
    }
    const note = encodeCheckpoint({ origin: 'log.example', size: FILLERS, root: edge.root(), extensions: [] });
    const checkpoint = await signNote(note, [noteSigner('log.example', keySigner(logKey))]);
    files = new Map<string, Uint8Array>([['checkpoint', Buffer.from(checkpoint)]]);
    const full = Array.from({ length: 2 }, (_, tile) => leaves.slice(tile * TILE_WIDTH, (tile + 1) * TILE_WIDTH));
    full.forEach((hashes, tile) => files.set(`tile/0/00${tile}`, Buffer.concat(hashes)));
    files.set('tile/0/002.p/188', Buffer.concat(leaves.slice(2 * TILE_WIDTH)));
    files.set('tile/1/000.p/2', Buffer.concat(full.map((hashes) => rootOf(hashes))));
  });

  const serving = (prefix: string, index = INDEX): TokenServer =>
    tokenServer(({ method, url }) => {
      if (method === 'POST')
        return {
          status: 409,
          headers: { 'x-log-index': String(index) },
          body: { message: 'an equivalent entry already exists' },
        };
      const path = url.pathname.slice('/rekor2/'.length);
      const file = path.startsWith(prefix) ? files.get(path.slice(prefix.length)) : undefined;
      return file === undefined ? { status: 404, body: '' } : { body: file };
    });

  for (const prefix of ['api/v2/', '']) {
    it(`has its entry put together from checkpoint and tiles at '${prefix}'`, async () => {
      const { client: http } = serving(prefix);
      const entry = await enter(signed, 2, { http, logs: [log] });
      const check = verifyLogEntry(entry, signed, [log]);
      assert.ok(check.kind === 'accepted' && check.included && check.index === INDEX, JSON.stringify(check));
    });
  }

  it('is refused where it has another entry at that place', async () => {
    const { client: http } = serving('', INDEX + 1);
    await assert.rejects(enter(signed, 2, { http, logs: [log] }), { code: 'answer-mismatch' });
  });

  it('is waited for until it publishes the place, and not for ever', async () => {
    const server = serving('', FILLERS);
    await assert.rejects(enter(signed, 2, { http: server.client, logs: [log] }), {
      code: 'service-unavailable',
      message: /has entry 700 already, and publishes no more than 700/,
    });
    assert.ok(server.waits.length > 10 && server.waits.length < 100);
  });

  it('is not believed without its name in the trusted root, nor if it does not say where', async () => {
    const { client: http } = serving('');
    await assert.rejects(enter(signed, 2, { http }), { code: 'service-unavailable', message: /trusted root/ });
    for (const headers of [{}, { 'x-log-index': '-1' }, { 'x-log-index': '1e9' }]) {
      const silent = tokenServer(() => ({ status: 409, headers, body: '' }));
      await assert.rejects(enter(signed, 2, { http: silent.client, logs: [log] }), { code: 'answer-malformed' });
    }
  });

  it('is refused with a tile that is cut, lost or forged, and a checkpoint that is none', async () => {
    for (const [path, bytes] of [
      ['tile/0/001', Buffer.alloc(256 * 32 - 1)],
      ['tile/0/001', Buffer.alloc(256 * 32)],
      ['checkpoint', Buffer.from('nothing\n')],
      ['checkpoint', Buffer.alloc(400_000)],
    ] as const) {
      const whole = files;
      files = new Map([...whole, [path, bytes]]);
      await assert.rejects(enter(signed, 2, { http: serving('').client, logs: [log] }), CodedError);
      files = whole;
    }
  });
});

interface V2Request {
  readonly hashedRekordRequestV002: {
    readonly digest: string;
    readonly signature: {
      readonly content: string;
      readonly verifier: {
        readonly publicKey?: { readonly rawBytes: string };
        readonly x509Certificate?: { readonly rawBytes: string };
        readonly keyDetails: 'PKIX_ECDSA_P256_SHA_256';
      };
    };
  };
}

function recordedSignature({ hashedRekordRequestV002: { digest, signature } }: V2Request): LoggedSignature {
  const { publicKey, x509Certificate } = signature.verifier;
  const der = Buffer.from(publicKey?.rawBytes ?? x509Certificate?.rawBytes ?? '', 'base64');
  return {
    signature: Buffer.from(signature.content, 'base64'),
    verifier:
      x509Certificate === undefined
        ? { kind: 'public-key', key: decodePublicKey(der, 'it') }
        : { kind: 'certificate', certificate: decodeCertificates(der, 'it')[0] },
    content: { kind: 'digest', digest: { algorithm: 'sha256', bytes: Buffer.from(digest, 'base64') } },
  };
}

function withKey(request: V2Request): V2Request {
  const { digest, signature } = request.hashedRekordRequestV002;
  const verifier = { publicKey: { rawBytes: '' }, keyDetails: signature.verifier.keyDetails };
  return { hashedRekordRequestV002: { digest, signature: { content: signature.content, verifier } } };
}

function bodyOf({ hashedRekordRequestV002: { digest, signature } }: V2Request): Uint8Array {
  const der = Buffer.from(signature.verifier.publicKey?.rawBytes ?? '', 'base64');
  return encodeLogBody({
    kind: 'hashedrekord',
    version: '0.0.2',
    digest: { algorithm: 'sha256', bytes: Buffer.from(digest, 'base64') },
    signature: Buffer.from(signature.content, 'base64'),
    verifier: { kind: 'public-key', der },
    keyDetails: signature.verifier.keyDetails,
  });
}

/** The members of a document in their order, without what they say. */
function shapeOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.entries(value).map(([name, member]) => [name, shapeOf(member)]);
}

function without(body: unknown, name: string): unknown {
  const text = JSON.stringify(body, (member, value: unknown) => (member === name ? undefined : value));
  return JSON.parse(text) as unknown;
}

function rootOf(hashes: readonly Uint8Array[]): Uint8Array {
  const edge = new RightEdge();
  for (const leaf of hashes) edge.append(leaf);
  return edge.root();
}
