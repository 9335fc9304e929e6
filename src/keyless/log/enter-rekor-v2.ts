// SPDX-License-Identifier: Apache-2.0
import {
  decodeLogEntry,
  defaultKeyDetails,
  encodeLogBody,
  loggedScheme,
  type LogBody,
  type LoggedSignature,
  type LogVerifier,
} from '../../trust/index.ts';
import { encodeBase64, type HttpClient, type Json } from '../../wire/index.ts';
import { KeylessError } from '../error.ts';
import { askService, badAnswer, refusalOf, type ServiceAnswer } from '../service/ask-service.ts';
import { below } from '../service/service-address.ts';
import { readAnswer, type Entered, type LogWitnessOptions } from './log-witness.ts';
import { schemeOfSignature } from './scheme-of-signature.ts';

type Entry = Extract<LogBody, { kind: 'hashedrekord'; version: '0.0.2' }>;

/** A log answers once its checkpoint is published: those of Sigstore within ten seconds, and a repetition must have time for that again. */
const WITHIN_MS = 90_000;
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Enters a signature into a log of Rekor v2: kind hashedrekord 0.0.2, for an envelope over its pre-authentication encoding.
 *
 * @throws KeylessError as `logWitness`
 */
export async function enterRekorV2(base: URL, signed: LoggedSignature, options: LogWitnessOptions): Promise<Entered> {
  const body = await bodyOf(signed);
  const answer = await post(below(base, 'api/v2/log/entries'), requestOf(body), options.http);
  if (answer.status === 201 || answer.status === 200) {
    return { entry: readAnswer(answer, () => decodeLogEntry(answer.body, 'the answer of the log')), answer };
  }
  if (answer.status !== 409) throw refusalOf(answer);
  // The log has it, by us whose answer was lost, and says at most where.
  const index = answer.headers['x-log-index'] ?? '';
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(index))
    throw badAnswer(answer, 'answer-malformed', 'that it has the entry already, and not where');
  const { readEntryFromTiles } = await import('./read-entry-from-tiles.ts');
  const entry = await readEntryFromTiles(base, { index: Number(index), body: encodeLogBody(body) }, options);
  return { entry, answer };
}

async function bodyOf(signed: LoggedSignature): Promise<Entry> {
  const { key, scheme, digest } = await schemeOfSignature(signed);
  const entered = defaultKeyDetails(key.algorithm);
  if (entered === undefined || scheme !== loggedScheme(key))
    throw new KeylessError(
      'signature-unloggable',
      `a log of Rekor v2 takes signatures by a key of type ${key.algorithm} as ${entered === undefined ? 'nothing' : loggedScheme(key)}, and this one is ${scheme}`,
    );
  const { keyDetails } = entered;
  const verifier: LogVerifier =
    signed.verifier.kind === 'certificate'
      ? { kind: 'certificate', der: signed.verifier.certificate.der, chain: [] }
      : { kind: 'public-key', der: key.spki };
  return { kind: 'hashedrekord', version: '0.0.2', digest, signature: signed.signature, verifier, keyDetails };
}

function requestOf({ digest, signature, verifier, keyDetails }: Entry): Json {
  const rawBytes = encodeBase64(verifier.der);
  return {
    hashedRekordRequestV002: {
      digest: encodeBase64(digest.bytes),
      signature: {
        content: encodeBase64(signature),
        verifier: {
          ...(verifier.kind === 'certificate' ? { x509Certificate: { rawBytes } } : { publicKey: { rawBytes } }),
          keyDetails,
        },
      },
    },
  };
}

async function post(url: URL, body: Json, http: HttpClient): Promise<ServiceAnswer> {
  return askService({
    http,
    what: 'the transparency log',
    method: 'POST',
    url,
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: new TextEncoder().encode(JSON.stringify(body)),
    withinMs: WITHIN_MS,
    maxBytes: MAX_BYTES,
  });
}
