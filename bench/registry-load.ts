// SPDX-License-Identifier: Apache-2.0
import { createHash, randomBytes } from 'node:crypto';
import { Agent, request, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';

/** The media type of an image. */
export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

/** A client that keeps its connections and checks nothing but the status, so that it is the server that is measured. */
export class LoadClient {
  readonly #base: string;
  readonly #agent: Agent;

  /** @param host `host:port` of a registry that takes plain HTTP and no password */
  constructor(host: string, connections: number) {
    this.#base = `http://${host}`;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Pushes a small image as any client would: two blobs, each begun and then sent, and a manifest. @returns its digest */
  async pushSmallImage(repository: string, tag: string): Promise<string> {
    const config = Buffer.from(
      JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }),
    );
    const layer = randomBytes(1024); // nobody has it yet
    await this.pushBlob(repository, config);
    await this.pushBlob(repository, layer);
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MANIFEST_TYPE,
        config: { mediaType: CONFIG, digest: digestOf(config), size: config.length },
        layers: [{ mediaType: LAYER, digest: digestOf(layer), size: layer.length }],
      }),
    );
    await this.#send('PUT', `/v2/${repository}/manifests/${tag}`, 201, { 'content-type': MANIFEST_TYPE }, manifest);
    return digestOf(manifest);
  }

  /** Begins an upload and sends the bytes in one request. @param digest saves hashing them here */
  async pushBlob(repository: string, bytes: Buffer, digest: string = digestOf(bytes)): Promise<void> {
    const begun = await this.#send('POST', `/v2/${repository}/blobs/uploads/`, 202, { 'content-length': 0 });
    const place = new URL(begun.headers.location ?? '', this.#base);
    place.searchParams.set('digest', digest);
    await this.#send('PUT', place.pathname + place.search, 201, { 'content-type': 'application/octet-stream' }, bytes);
  }

  /** Reads a blob to its end and drops it. @returns its size in bytes */
  async pullBlob(repository: string, digest: string): Promise<number> {
    const response = await this.#request('GET', `/v2/${repository}/blobs/${digest}`, {});
    if (response.statusCode !== 200) throw new Error(`GET blob answered ${response.statusCode}`);
    let size = 0;
    for await (const chunk of response) size += (chunk as Buffer).length;
    return size;
  }

  async #send(
    method: string,
    path: string,
    expected: number,
    headers: OutgoingHttpHeaders,
    body?: Buffer,
  ): Promise<IncomingMessage> {
    const response = await this.#request(method, path, { ...headers, 'content-length': body?.length ?? 0 }, body);
    let text = '';
    for await (const chunk of response) text += String(chunk);
    if (response.statusCode !== expected) throw new Error(`${method} ${path} answered ${response.statusCode}: ${text}`);
    return response;
  }

  async #request(method: string, path: string, headers: OutgoingHttpHeaders, body?: Buffer): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    request(new URL(path, this.#base), { method, headers, agent: this.#agent }, resolve).on('error', reject).end(body);
    return await promise;
  }
}

/** `sha256:…` of some bytes. */
export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
