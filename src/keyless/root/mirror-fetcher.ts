// SPDX-License-Identifier: Apache-2.0
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { CodedError, readBody, shownUrl, WireError, type HttpClient, type HttpResponse } from '../../wire/index.ts';
import { KeylessError } from '../error.ts';

/** the whole refresh: some seven small documents, each asked for one after the other */
const WITHIN_MS = 60_000;
/** more than any document may have, whatever is said of its length */
const MAX_BYTES = 8 * 1024 * 1024;
/** what the library takes as "there is no such document" */
const ABSENT: ReadonlySet<number> = new Set([403, 404]);

/** Gets the documents of a mirror over our own client, for the library that verifies them. All requests must have ended within a minute. */
export class MirrorFetcher {
  /** the failure of a request that says nothing of what the mirror has: nothing is known then */
  failure: CodedError | undefined;
  readonly #mirror: URL;
  readonly #http: HttpClient;
  readonly #folder: string;
  readonly #deadline: number;

  /** @param folder for files on their way */
  constructor(mirror: URL, http: HttpClient, folder: string) {
    this.#mirror = mirror;
    this.#http = http;
    this.#folder = folder;
    this.#deadline = http.clock.now() + WITHIN_MS;
  }

  async downloadBytes(address: string, maxLength: number): Promise<Buffer> {
    const url = new URL(address);
    try {
      return await this.#http.exchange(
        { method: 'GET', url, headers: { 'user-agent': 'bulla' }, home: this.#mirror, deadline: this.#deadline },
        (response) => read(response, url, Math.min(maxLength, MAX_BYTES)),
      );
    } catch (error) {
      if (error instanceof CodedError) this.failure = error;
      throw error;
    }
  }

  async downloadFile<T>(address: string, maxLength: number, handler: (file: string) => Promise<T>): Promise<T> {
    const file = join(this.#folder, 'arriving');
    await writeFile(file, await this.downloadBytes(address, maxLength));
    return handler(file);
  }
}

async function read(response: HttpResponse, url: URL, maxBytes: number): Promise<Buffer> {
  const { status } = response;
  if (status === 200) return readDocument(response, maxBytes, url);
  if (ABSENT.has(status)) throw new DownloadHTTPError(`${shownUrl(url)} answers ${status}`, status);
  throw new KeylessError('trust-unavailable', `the TUF repository ${shownUrl(url)} answers ${status}`);
}

// It was signed how long it is, or no such document is longer: an answer, and a wrong one.
async function readDocument(response: HttpResponse, maxBytes: number, url: URL): Promise<Buffer> {
  try {
    return Buffer.from(await readBody(response, maxBytes, shownUrl(url)));
  } catch (error) {
    if (!(error instanceof WireError) || error.code !== 'too-large') throw error;
    throw new KeylessError('trust-rejected', error.message, { cause: error });
  }
}
