// SPDX-License-Identifier: Apache-2.0
import { decodeBase64, isJsonObject, type Json } from '../../wire/index.ts';
import { decodeAnyBase64 } from '../bundle/any-base64.ts';
import { parseStrictObject, type JsonObject } from '../bundle/strict-json.ts';
import { TrustError } from '../error.ts';
import { decodePem } from '../key/pem.ts';
import { printable } from '../printable.ts';
import {
  KEY_DETAILS,
  LOG_DIGEST_ALGORITHMS,
  type DsseV2,
  type IntotoV2,
  type KeyDetails,
  type LogBody,
  type LogDigest,
  type LogSignature,
  type LogVerifier,
} from './canonical-body.ts';

/** bytes of a body; logs of Rekor v2 end at 64 KiB, those of v1 keep whole chains of certificates */
const MAX_BYTES = 512 * 1024;
const MAX_SIGNATURES = 16;
const MAX_CERTIFICATES = 10;
const DIGEST_BYTES: ReadonlyMap<string, number> = new Map([
  ['sha256', 32],
  ['sha384', 48],
  ['sha512', 64],
]);

/**
 * Reads what a log keeps of an entry, strictly: no member twice and none that is not known, strict base64, digests of their length.
 * Whether the log has it, and whether it is about a signature that one holds, is for `verifyLogEntry` to say.
 *
 * @throws TrustError `log-entry-malformed`, `log-entry-unsupported`, `pem-malformed`; WireError `too-large`, `json-too-deep`,
 * `json-malformed`, `base64-malformed`
 */
export function decodeLogBody(bytes: Uint8Array): LogBody {
  const body = new Fields(parseStrictObject(bytes, WHAT, 'log-entry-malformed', MAX_BYTES), WHAT);
  const name = `${printable(body.text('kind'), 40)} ${printable(body.text('apiVersion'), 20)}`;
  const spec = body.object('spec');
  body.end();
  const decode = DECODERS.get(name);
  if (decode === undefined)
    throw new TrustError('log-entry-unsupported', `${WHAT} is of the kind ${name}, expected ${KINDS}`);
  const decoded = decode(spec);
  spec.end();
  return decoded;
}

const WHAT = 'the body of the log entry';

const DECODERS: ReadonlyMap<string, (spec: Fields) => LogBody> = new Map([
  ['hashedrekord 0.0.1', decodeHashedRekordV1],
  ['dsse 0.0.1', decodeDsseV1],
  ['intoto 0.0.1', decodeIntotoV1],
  ['intoto 0.0.2', decodeIntotoV2],
  ['hashedrekord 0.0.2', decodeHashedRekordV2],
  ['dsse 0.0.2', decodeDsseV2],
]);

const KINDS = [...DECODERS.keys()].join(', ');

function decodeHashedRekordV1(spec: Fields): LogBody {
  const data = spec.object('data');
  const digest = hexDigest(data.object('hash'));
  data.end();
  const signed = spec.object('signature');
  const signature = signed.base64('content');
  const publicKey = signed.object('publicKey');
  const verifier = pemVerifier(publicKey, 'content');
  publicKey.end();
  signed.end();
  return { kind: 'hashedrekord', version: '0.0.1', digest, signature, verifier };
}

function decodeDsseV1(spec: Fields): LogBody {
  const envelopeHash = hexDigest(spec.object('envelopeHash'));
  const payloadHash = hexDigest(spec.object('payloadHash'));
  const signatures = spec.list('signatures').map((item): LogSignature => {
    const signature = item.base64('signature');
    const verifier = pemVerifier(item, 'verifier');
    item.end();
    return { signature, verifier };
  });
  return { kind: 'dsse', version: '0.0.1', envelopeHash, payloadHash, signatures };
}

function decodeIntotoV1(spec: Fields): LogBody {
  const verifier = pemVerifier(spec, 'publicKey');
  const content = spec.object('content');
  const envelopeHash = hexDigest(content.object('hash'));
  const payloadHash = content.has('payloadHash') ? { payloadHash: hexDigest(content.object('payloadHash')) } : {};
  content.end();
  return { kind: 'intoto', version: '0.0.1', envelopeHash, ...payloadHash, verifier };
}

function decodeIntotoV2(spec: Fields): LogBody {
  const content = spec.object('content');
  const envelope = content.object('envelope');
  const payloadType = envelope.text('payloadType');
  const signatures = envelope.list('signatures').map((item): IntotoV2['signatures'][number] => {
    const keyid = item.has('keyid') ? item.text('keyid') : '';
    const text = Buffer.from(item.base64('sig')).toString('latin1');
    const signature = decodeAnyBase64(text, `the text of ${item.what}.sig`); // as the signer spelt it
    const verifier = pemVerifier(item, 'publicKey');
    item.end();
    return { ...(keyid === '' ? {} : { keyid }), signature, verifier };
  });
  envelope.end();
  const envelopeHash = hexDigest(content.object('hash'));
  const payloadHash = hexDigest(content.object('payloadHash'));
  content.end();
  return { kind: 'intoto', version: '0.0.2', payloadType, envelopeHash, payloadHash, signatures };
}

function decodeHashedRekordV2(spec: Fields): LogBody {
  const entry = spec.object('hashedRekordV002');
  const digest = protoDigest(entry.object('data'));
  const signed = entry.object('signature');
  const signature = signed.base64('content');
  const by = protoVerifier(signed.object('verifier'));
  signed.end();
  entry.end();
  return { kind: 'hashedrekord', version: '0.0.2', digest, signature, ...by };
}

function decodeDsseV2(spec: Fields): LogBody {
  const entry = spec.object('dsseV002');
  const payloadHash = protoDigest(entry.object('payloadHash'));
  const signatures = entry.list('signatures').map((item): DsseV2['signatures'][number] => {
    const signature = item.base64('content');
    const by = protoVerifier(item.object('verifier'));
    item.end();
    return { signature, ...by };
  });
  entry.end();
  return { kind: 'dsse', version: '0.0.2', payloadHash, signatures };
}

function hexDigest(hash: Fields): LogDigest {
  const algorithm = hash.text('algorithm');
  const value = hash.text('value');
  hash.end();
  if (!/^(?:[0-9a-f]{2})+$/.test(value)) throw hash.malformed('value', 'no lower-case hexadecimal');
  return digestOf(hash, algorithm, new Uint8Array(Buffer.from(value, 'hex')));
}

function protoDigest(hash: Fields): LogDigest {
  const algorithm = hash.text('algorithm');
  const bytes = hash.base64('digest');
  hash.end();
  return digestOf(hash, algorithm.replace(/^SHA2_/, 'sha'), bytes);
}

function digestOf(hash: Fields, name: string, bytes: Uint8Array): LogDigest {
  const algorithm = LOG_DIGEST_ALGORITHMS.find((known) => known === name);
  if (algorithm === undefined) throw hash.malformed('algorithm', `'${printable(name, 20)}', expected SHA-2`);
  if (bytes.length !== DIGEST_BYTES.get(algorithm)) throw hash.malformed('value', `${bytes.length} octets long`);
  return { algorithm, bytes };
}

function pemVerifier(fields: Fields, name: string): LogVerifier {
  const pem = Buffer.from(fields.base64(name)).toString('latin1');
  const [first, ...others] = decodePem(pem, `${fields.what}.${name}`);
  if (first?.label === 'PUBLIC KEY' && others.length === 0) return { kind: 'public-key', der: first.bytes };
  const certificates = first?.label === 'CERTIFICATE' && others.every(({ label }) => label === 'CERTIFICATE');
  if (first === undefined || !certificates || others.length >= MAX_CERTIFICATES)
    throw fields.malformed(name, 'neither one public key nor certificates');
  return { kind: 'certificate', der: first.bytes, chain: others.map(({ bytes }) => bytes) };
}

function protoVerifier(verifier: Fields): { readonly verifier: LogVerifier; readonly keyDetails: KeyDetails } {
  const named = verifier.text('keyDetails');
  const keyDetails = KEY_DETAILS.find((known) => known === named);
  if (keyDetails === undefined) throw verifier.malformed('keyDetails', `'${printable(named, 40)}'`);
  const kind = verifier.has('x509Certificate') ? 'certificate' : 'public-key';
  const raw = verifier.object(kind === 'certificate' ? 'x509Certificate' : 'publicKey');
  const der = raw.base64('rawBytes');
  raw.end();
  verifier.end();
  return { verifier: kind === 'certificate' ? { kind, der, chain: [] } : { kind, der }, keyDetails };
}

/** The members of a JSON object, read one by one; every one must be read. */
class Fields {
  readonly what: string;
  readonly #members: JsonObject;
  readonly #read = new Set<string>();

  constructor(members: JsonObject, what: string) {
    this.#members = members;
    this.what = what;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#members, name);
  }

  text(name: string): string {
    const value = this.#take(name);
    if (typeof value !== 'string') throw this.malformed(name, 'no text');
    return value;
  }

  /** Octets, at least one. */
  base64(name: string): Uint8Array {
    const octets = decodeBase64(this.text(name), `${this.what}.${name}`);
    if (octets.length === 0) throw this.malformed(name, 'empty');
    return octets;
  }

  object(name: string): Fields {
    const value = this.#take(name);
    if (!isJsonObject(value)) throw this.malformed(name, 'no object');
    return new Fields(value, `${this.what}.${name}`);
  }

  list(name: string): readonly Fields[] {
    const value = this.#take(name);
    if (!Array.isArray(value) || value.length === 0 || value.length > MAX_SIGNATURES)
      throw this.malformed(name, `no list of 1 to ${MAX_SIGNATURES}`);
    return value.map((item: Json, index) => {
      if (!isJsonObject(item)) throw this.malformed(`${name}[${index}]`, 'no object');
      return new Fields(item, `${this.what}.${name}[${index}]`);
    });
  }

  end(): void {
    const unknown = Object.keys(this.#members).find((name) => !this.#read.has(name));
    if (unknown !== undefined)
      throw new TrustError('log-entry-malformed', `${this.what} has an unknown member '${printable(unknown)}'`);
  }

  malformed(name: string, found: string): TrustError {
    return new TrustError('log-entry-malformed', `${this.what}.${name} is ${found}`);
  }

  #take(name: string): Json | undefined {
    this.#read.add(name);
    return this.has(name) ? this.#members[name] : undefined;
  }
}
