// SPDX-License-Identifier: Apache-2.0
import { DEFAULT_RETRY, isPassingFailure, join, retryDelay, type HttpResponse } from '../../wire/index.ts';
import { digestAlgorithm, digestOf, type Digest } from '../digest.ts';
import { RegistryError } from '../error.ts';
import type { BlobSource, Progress } from '../repository.ts';
import { ChunkReader } from './chunk-reader.ts';
import { hasBlob } from './read-blob.ts';
import { checkStored, readRefusal, refused } from './registry-answer.ts';
import type { Session } from './session.ts';
import {
  begunUpload,
  cancelUpload,
  finishUpload,
  sendChunk,
  startUpload,
  uploadOffset,
  type Upload,
} from './upload-session.ts';

/**
 * Uploads a blob unless it is there. A small one goes with the request that starts the upload, where the registry takes it so, and is not
 * looked for first; a larger one is looked for, then sent in one piece, or in chunks where that is asked for or nothing else passes.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
 */
export async function uploadBlob(session: Session, source: BlobSource, progress?: Progress): Promise<void> {
  const { limits } = session.connection;
  if (session.present.has(source.digest)) {
    progress?.(source.size, source.size);
    return;
  }
  if (source.size <= limits.smallBlobBytes) await uploadSmall(session, source);
  else if (!(await hasBlob(session, source.digest, session.push)))
    await new BlobUpload(session, source, progress).run();
  session.present.add(source.digest);
  progress?.(source.size, source.size);
}

async function uploadSmall(session: Session, source: BlobSource): Promise<void> {
  const bytes = await collect(source);
  const inMemory: BlobSource = { ...source, open: () => once(bytes) };
  let upload: Upload | undefined;
  if (session.takesSinglePost !== false && !session.chunked) {
    const answer = await postWhole(session, source.digest, bytes);
    session.takesSinglePost = answer === 'stored';
    if (answer === 'stored') return;
    upload = answer === 'refused' ? undefined : answer;
  }
  await new BlobUpload(session, inMemory, undefined, upload).run();
}

/** @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#single-post */
async function postWhole(session: Session, digest: Digest, bytes: Uint8Array): Promise<'stored' | 'refused' | Upload> {
  const doing = `upload blob ${session.shown(digest)}`;
  const request = {
    doing,
    method: 'POST',
    target: session.path(`blobs/uploads/?digest=${digest}`),
    headers: { 'content-type': 'application/octet-stream' },
    body: bytes,
    repeatable: true, // at worst an upload is begun twice
    scopes: session.push,
    deadline: session.connection.deadline(),
  };
  return session.connection.exchange(request, async (response) => {
    if (response.status === 201) {
      checkStored(response, digest, doing);
      return 'stored';
    }
    if (response.status === 202) return begunUpload(response, doing);
    const refusal = await readRefusal(response);
    const isFinal = response.status >= 500 || [401, 403, 404, 408, 429].includes(response.status);
    if (isFinal) throw refused(response, refusal, doing);
    return 'refused'; // some registries take this form for an error
  });
}

/** One blob on its way, over as many requests and attempts as it takes. */
class BlobUpload {
  readonly #session: Session;
  readonly #source: BlobSource;
  readonly #progress: Progress | undefined;
  readonly #deadline: number;
  readonly #doing: string;
  #upload: Upload | undefined;
  #chunkBytes: number | undefined;
  #told = 0;

  constructor(session: Session, source: BlobSource, progress: Progress | undefined, upload?: Upload) {
    this.#session = session;
    this.#source = source;
    this.#progress = progress;
    this.#upload = upload;
    this.#deadline = session.connection.deadline(source.size);
    this.#doing = `upload blob ${session.shown(source.digest)}`;
    if (session.chunked) this.#chunkBytes = session.connection.limits.chunkBytes;
  }

  // 1. start (POST)                   a failure here: started again
  // 2. send, whole or in chunks       a failure here: the registry is asked how much it has, and the rest is sent
  // 3. finish with the digest (PUT)   only now is there a blob
  async run(): Promise<void> {
    const { client } = this.#session.connection;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#attempt();
        return;
      } catch (error) {
        if (this.#makeSmaller(error)) {
          await this.#startOver();
          continue;
        }
        const asked = error instanceof RegistryError ? error.retryAfterMs : undefined;
        const delay = retryDelay(DEFAULT_RETRY, attempt, asked, client.random);
        const again =
          attempt < DEFAULT_RETRY.attempts && isPassing(error) && client.clock.now() + delay < this.#deadline;
        if (!again) throw error;
        await client.clock.sleep(delay);
        await this.#recover();
      }
    }
  }

  async #attempt(): Promise<void> {
    this.#upload ??= await startUpload(this.#session, this.#doing, this.#deadline);
    const { digest } = this.#source;
    const isWhole = this.#chunkBytes === undefined && this.#upload.offset === 0;
    const response = isWhole ? await this.#sendWhole(this.#upload) : await this.#sendChunks(this.#upload);
    checkStored(response, digest, this.#doing);
  }

  async #sendWhole(upload: Upload): Promise<HttpResponse> {
    const { size } = this.#source;
    const body = { length: size, open: () => this.#counted() };
    return finishUpload(this.#session, upload, this.#source.digest, this.#doing, this.#deadline, body);
  }

  async #sendChunks(start: Upload): Promise<HttpResponse> {
    const { size, digest } = this.#source;
    const chunkBytes = Math.max(this.#chunkBytes ?? this.#session.connection.limits.chunkBytes, start.minChunkBytes);
    const reader = new ChunkReader(this.#source.open());
    try {
      await reader.skip(start.offset);
      for (let upload = start; ;) {
        if (upload.offset >= size)
          return await finishUpload(this.#session, upload, digest, this.#doing, this.#deadline);
        const chunk = await reader.take(Math.min(chunkBytes, size - upload.offset));
        if (chunk.byteLength === 0) throw wrongSize(this.#source, upload.offset);
        upload = await sendChunk(this.#session, upload, chunk, this.#doing, this.#deadline);
        this.#upload = upload;
        this.#tell(upload.offset);
      }
    } finally {
      await reader.close();
    }
  }

  async *#counted(): AsyncGenerator<Uint8Array> {
    let sent = 0;
    for await (const chunk of this.#source.open()) {
      sent += chunk.byteLength;
      if (sent > this.#source.size) throw wrongSize(this.#source, sent);
      yield chunk;
      this.#tell(sent);
    }
    if (sent !== this.#source.size) throw wrongSize(this.#source, sent);
  }

  /** That all of it is there is told once, at the end; a repetition does not go back. */
  #tell(sent: number): void {
    if (sent <= this.#told || sent >= this.#source.size) return;
    this.#told = sent;
    this.#progress?.(sent, this.#source.size);
  }

  /** What is too large in one piece, or in these, may pass in smaller ones. */
  #makeSmaller(error: unknown): boolean {
    if (!(error instanceof RegistryError) || error.status !== 413) return false;
    const { chunkBytes } = this.#session.connection.limits;
    const next =
      this.#chunkBytes === undefined ? Math.min(chunkBytes, this.#source.size) : Math.floor(this.#chunkBytes / 2);
    if (next < MIN_CHUNK_BYTES) return false;
    this.#chunkBytes = next;
    return true;
  }

  async #startOver(): Promise<void> {
    const { session, upload } = { session: this.#session, upload: this.#upload };
    this.#upload = undefined;
    if (upload !== undefined) await cancelUpload(session, upload, this.#deadline);
  }

  async #recover(): Promise<void> {
    if (this.#upload === undefined) return;
    this.#upload = await uploadOffset(this.#session, this.#upload, this.#source.size, this.#deadline);
  }
}

const MIN_CHUNK_BYTES = 64 * 1024;

/** Whether trying again may help. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return false;
  if (error.code === 'throttled' || error.code === 'server-error') return true;
  return isPassingFailure(error.cause) || error.status === 416 || error.status === 408;
}

async function collect(source: BlobSource): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source.open()) {
    size += chunk.byteLength;
    if (size > source.size) throw wrongSize(source, size);
    chunks.push(chunk);
  }
  if (size !== source.size) throw wrongSize(source, size);
  const bytes = join(chunks, size);
  const found = digestOf(bytes, digestAlgorithm(source.digest));
  if (found === source.digest) return bytes;
  throw new RegistryError(
    'digest-mismatch',
    `cannot upload blob ${source.digest}: the ${size} bytes given are ${found}`,
  );
}

function wrongSize(source: BlobSource, found: number): RegistryError {
  const amount = found > source.size ? 'more' : `only ${found}`;
  return new RegistryError(
    'size-mismatch',
    `cannot upload blob ${source.digest}: it should have ${source.size} bytes, ${amount} came`,
  );
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes;
}
