// SPDX-License-Identifier: Apache-2.0
import { encodeBase64, json, type Call, type Reply, type Service } from '../../../wire/index.ts';
import { fulcioFault } from '../http/fulcio-fault.ts';
import { malformed } from '../http/request-body.ts';
import type { CertificateChain, CertificateLogKeeper } from '../issuance/signing-authority.ts';
import { CertificateRefusal } from '../refusal.ts';
import { inclusionIn } from './inclusion-in.ts';
import { TreeHeads } from './tree-heads.ts';

/** as many as the logs of the web answer at a time, about; a client asks again for the rest */
const MAX_ENTRIES = 256;

/** What is read. */
export interface CertificateLogSource {
  /** the log, and the key that signs its heads: asked at each request */
  keeper(): CertificateLogKeeper;
  /** of the authorities whose certificates it has */
  chains(): readonly CertificateChain[];
}

/**
 * The reading half of a certificate log's API. Nothing is submitted: what the authority issues is in the log before it is given out.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-4
 */
export class CertificateLogApi implements Service {
  readonly #source: CertificateLogSource;
  readonly #heads: TreeHeads;

  constructor(source: CertificateLogSource, now: () => Date) {
    this.#source = source;
    this.#heads = new TreeHeads(now);
  }

  /** @throws CertificateRefusal; what the log and its signer throw */
  readonly answer = async (call: Call): Promise<Reply> => {
    const [path = '', query = ''] = call.target.split('?', 2);
    const answer = this.#routes.get(path);
    if (answer === undefined)
      throw new CertificateRefusal('route-unknown', 'the certificate log has nothing at this path');
    if (call.method !== 'GET' && call.method !== 'HEAD')
      throw new CertificateRefusal('method-unknown', `${call.method} is not possible here (GET is)`);
    return json(await answer(new URLSearchParams(query)));
  };

  readonly fault: Service['fault'] = fulcioFault;

  readonly #routes: ReadonlyMap<string, (query: URLSearchParams) => unknown> = new Map([
    ['/ct/v1/get-sth', () => this.#signedTreeHead()],
    ['/ct/v1/get-sth-consistency', (query: URLSearchParams) => this.#consistency(query)],
    ['/ct/v1/get-proof-by-hash', (query: URLSearchParams) => this.#proof(query)],
    ['/ct/v1/get-entries', (query: URLSearchParams) => this.#entries(query)],
    ['/ct/v1/get-roots', () => this.#roots()],
  ]);

  /** Section 4.3. */
  async #signedTreeHead(): Promise<unknown> {
    const { signer, log } = this.#source.keeper();
    return this.#heads.of(signer, log.tree());
  }

  /** Section 4.4. */
  async #consistency(query: URLSearchParams): Promise<unknown> {
    const { log } = this.#source.keeper();
    const [first, second] = [numberOf(query, 'first'), numberOf(query, 'second')];
    const { size } = log.tree();
    if (first > second || second > size)
      throw malformed(`'first' is ${first} and 'second' ${second}, expected sizes in order of a tree of ${size}`);
    const proof = first === 0 ? [] : await log.consistency(first, second);
    return { consistency: proof.map((node) => encodeBase64(node)) };
  }

  /** Section 4.5. */
  async #proof(query: URLSearchParams): Promise<unknown> {
    const { log } = this.#source.keeper();
    const size = numberOf(query, 'tree_size');
    // In a query `+` is a space, and clients forget to escape it.
    const text = (query.get('hash') ?? '').replaceAll(' ', '+');
    const hash = Buffer.from(text, 'base64');
    if (hash.length !== 32) throw malformed("'hash' is not the base64 of 32 bytes");
    if (size > log.tree().size) throw malformed(`'tree_size' is ${size}, the tree has ${log.tree().size} entries`);
    const index = await log.indexOf(hash);
    if (index === undefined || index >= size)
      throw new CertificateRefusal('entry-unknown', `a tree of ${size} has no entry with this hash`);
    const proof = await inclusionIn(log, index, size);
    return { leaf_index: index, audit_path: proof.map((node) => encodeBase64(node)) };
  }

  /** Section 4.6. */
  async #entries(query: URLSearchParams): Promise<unknown> {
    const { log } = this.#source.keeper();
    const [start, end] = [numberOf(query, 'start'), numberOf(query, 'end')];
    const { size } = log.tree();
    if (start > end || start >= size)
      throw malformed(`'start' is ${start} and 'end' ${end}, expected places in order below ${size}`);
    const entries = await log.entries(start, Math.min(end - start + 1, size - start, MAX_ENTRIES));
    return {
      entries: entries.map(({ leaf, extra }) => ({
        leaf_input: encodeBase64(leaf),
        extra_data: encodeBase64(extra ?? new Uint8Array()),
      })),
    };
  }

  /** Section 4.7. */
  async #roots(): Promise<unknown> {
    const roots = this.#source.chains().map((chain) => encodeBase64((chain.at(-1) ?? chain[0]).der));
    return { certificates: [...new Set(roots)] };
  }
}

function numberOf(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? '';
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw malformed(`'${name}' is no number`);
}
