// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, join, parseJson, WireError, type Call, type Json } from '../../../wire/index.ts';
import { CertificateRefusal } from '../refusal.ts';

/** A token and a request in base64 take less than half of it. */
const MAX_BYTES = 256 * 1024;

/** A message in proto3's JSON: fields by either of their names, `null` for what is not there. */
export class ProtoMessage {
  readonly #fields: { readonly [key: string]: Json };
  readonly #where: string;

  constructor(value: Json | undefined, where: string) {
    if (value !== undefined && value !== null && !isJsonObject(value)) throw malformed(`${where} is no JSON object`);
    this.#fields = value ?? {};
    this.#where = where;
  }

  message(name: string): ProtoMessage | undefined {
    const value = this.#get(name);
    return value === undefined ? undefined : new ProtoMessage(value, `'${name}'`);
  }

  text(name: string): string | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') throw malformed(`'${name}' of ${this.#where} is no text`);
    return value === '' ? undefined : value;
  }

  /** Both alphabets, with padding or without. @see https://protobuf.dev/programming-guides/json/ */
  bytes(name: string): Uint8Array | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const plain = text
      .replaceAll('-', '+')
      .replaceAll('_', '/')
      .replace(/={0,2}$/, '');
    const bytes = Buffer.from(plain, 'base64');
    if (bytes.toString('base64').replace(/={0,2}$/, '') === plain) return bytes;
    throw malformed(`'${name}' of ${this.#where} is not base64`);
  }

  #get(name: string): Json | undefined {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const key = Object.hasOwn(this.#fields, name) ? name : snake;
    const value = Object.hasOwn(this.#fields, key) ? this.#fields[key] : undefined;
    return value === null ? undefined : value;
  }
}

/**
 * Reads the body of a request.
 *
 * @throws CertificateRefusal `request-malformed`, `too-large`; WireError `body-ended`, `body-slow`
 */
export async function readMessage(call: Call): Promise<ProtoMessage> {
  const announced = Number(call.headers['content-length'] ?? 0);
  if (announced > MAX_BYTES) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of call.body) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  return new ProtoMessage(parse(join(chunks, size)), 'the request');
}

function parse(bytes: Uint8Array): Json {
  try {
    return parseJson(bytes, { what: 'the request', maxBytes: MAX_BYTES, maxDepth: 8, maxValues: 1000 });
  } catch (error) {
    // no cause and no preview: a body may begin with a token
    if (error instanceof WireError) throw malformed('the request is no JSON of reasonable depth');
    throw error;
  }
}

/** @returns a `request-malformed` */
export function malformed(found: string): CertificateRefusal {
  return new CertificateRefusal('request-malformed', found);
}

function tooLarge(): CertificateRefusal {
  return new CertificateRefusal('too-large', `the request has more than the ${MAX_BYTES} bytes that are read`);
}
