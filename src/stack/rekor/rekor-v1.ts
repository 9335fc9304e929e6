// SPDX-License-Identifier: Apache-2.0
import { encodePublicKey, printable, type Signer } from '../../trust/index.ts';
import { isJsonObject, json, parseJson, type Call, type Json, type Reply, type Service } from '../../wire/index.ts';
import type { AppendLog, ProvenEntry } from '../log/append-log.ts';
import { EntryVerifiers } from './entry-verifier.ts';
import { faultReply } from './fault-reply.ts';
import { RekorError } from './rekor-error.ts';
import { countOf, readRequest, requireMethod, targetOf } from './request.ts';
import { decodeSearch } from './search-request.ts';
import { encodeV1Entry, entryId, verifyV1Proposal, type V1Log } from './v1-entry.ts';
import { decodeV1Proposal, readV1Proposal } from './v1-proposal.ts';

/** What a log of Rekor v1 is made of. */
export interface RekorV1Options {
  /** whose checkpoints have the origin that `rekorV1Origin` gives for this tree */
  readonly log: AppendLog;
  /** from 1 to 2^63 - 1 */
  readonly treeId: bigint;
  /** with which it promises entries, and signs its checkpoints: ECDSA, as every client of Rekor v1 expects */
  readonly signer: Signer;
}

const LOG = '/api/v1/log';
const MAX_RETRIEVED = 10;
/** entries that one search without a limit answers */
const MAX_FOUND = 10_000;
const PAGE = 1000;
const ENTRY_ID = /^(?:[0-9a-fA-F]{16})?[0-9a-fA-F]{64}$/;

/**
 * Rekor v1 over a log: entries are written and read, proven, promised, and found.
 *
 * The same entry again is answered 201, with the entry that there is: clients take 409 for a failure.
 *
 * @throws RekorError `settings-malformed` for a tree id that is none
 * @example
 * const { service } = createRekorV1Service({ log, treeId: 42n, signer: keySigner(key) });
 * @see https://github.com/sigstore/rekor/blob/main/openapi.yaml
 */
export function createRekorV1Service(options: RekorV1Options): { readonly service: Service } {
  if (options.treeId < 1n || options.treeId >= 1n << 63n)
    throw new RekorError('settings-malformed', `the tree id of a log is ${options.treeId}, expected 1 to 2^63-1`);
  const api = new RekorV1(options);
  return { service: { answer: (call) => api.answer(call), fault: faultReply } };
}

class RekorV1 {
  readonly #log: AppendLog;
  readonly #name: V1Log;
  readonly #verifiers = new EntryVerifiers();

  constructor({ log, treeId, signer }: RekorV1Options) {
    this.#log = log;
    this.#name = { treeId, signer };
  }

  async answer(call: Call): Promise<Reply> {
    const { path, query } = targetOf(call);
    switch (path) {
      case `${LOG}/entries`:
        requireMethod(call, ['GET', 'HEAD', 'POST']);
        return call.method === 'POST' ? await this.#append(call) : await this.#byIndex(query);
      case `${LOG}/entries/retrieve`:
        requireMethod(call, ['POST']);
        return await this.#retrieve(call);
      case '/api/v1/index/retrieve':
        requireMethod(call, ['POST']);
        return await this.#search(call);
      case LOG:
        requireMethod(call, ['GET', 'HEAD']);
        return this.#info();
      case `${LOG}/publicKey`:
        requireMethod(call, ['GET', 'HEAD']);
        this.#requireTree(query.get('treeID'));
        return this.#publicKey();
      case `${LOG}/proof`:
        requireMethod(call, ['GET', 'HEAD']);
        this.#requireTree(query.get('treeID'));
        return await this.#consistency(query);
    }
    if (!path.startsWith(`${LOG}/entries/`)) throw new RekorError('not-found', 'this log has nothing at this path');
    requireMethod(call, ['GET', 'HEAD']);
    return await this.#byId(path.slice(`${LOG}/entries/`.length));
  }

  async #append(call: Call): Promise<Reply> {
    const proposal = await verifyV1Proposal(decodeV1Proposal(await readRequest(call)), this.#verifiers);
    const kept = await this.#log.append(proposal);
    const id = entryId(this.#name, kept.leaf);
    return json(await encodeV1Entry(kept, this.#name), { location: `${LOG}/entries/${id}`, etag: id }, 201);
  }

  async #byIndex(query: URLSearchParams): Promise<Reply> {
    const index = countOf(query.get('logIndex'), 'logIndex');
    const entry = await this.#log.entry(index);
    if (entry === undefined) throw new RekorError('not-found', `the log has no entry ${index}`);
    return json(await encodeV1Entry(entry, this.#name));
  }

  async #byId(id: string): Promise<Reply> {
    if (!ENTRY_ID.test(id))
      throw new RekorError('request-malformed', 'the path names no entry, expected 64 or 80 hexadecimal digits');
    const entry = await this.#find(id);
    if (entry === undefined) throw new RekorError('not-found', `the log has no entry ${id}`);
    return json(await encodeV1Entry(entry, this.#name));
  }

  async #retrieve(call: Call): Promise<Reply> {
    const query = parseJson(await readRequest(call), { what: 'the request', maxDepth: 20 });
    if (!isJsonObject(query)) throw new RekorError('request-malformed', 'the request is no object');
    const ids = listOf(query['entryUUIDs'], 'entryUUIDs');
    const indexes = listOf(query['logIndexes'], 'logIndexes');
    const proposals = listOf(query['entries'], 'entries');
    const asked = ids.length + indexes.length + proposals.length;
    if (asked === 0 || asked > MAX_RETRIEVED)
      throw new RekorError('too-many', `the request asks for ${asked} entries, expected 1 to ${MAX_RETRIEVED}`);
    const found = [
      ...ids.map((id) => this.#find(idOf(id))),
      ...indexes.map((index) => this.#log.entry(indexOf(index))),
      ...proposals.map((proposal) => this.#findProposed(proposal)),
    ];
    // What is not there is left out, as Rekor does.
    const entries = (await Promise.all(found)).flatMap((entry) => (entry === undefined ? [] : [entry]));
    return json(await Promise.all(entries.map((entry) => encodeV1Entry(entry, this.#name))));
  }

  async #findProposed(proposal: Json): Promise<ProvenEntry | undefined> {
    try {
      const { identity } = await verifyV1Proposal(readV1Proposal(proposal), this.#verifiers);
      return await this.#at(await this.#log.indexOf(identity));
    } catch (error) {
      // cosign 2 asks for an attestation under every kind that it may have been entered as. What is not taken is not there.
      if (error instanceof RekorError && error.code === 'entry-unsupported') return undefined;
      throw error;
    }
  }

  async #search(call: Call): Promise<Reply> {
    const { terms, operator, limit, after: first } = decodeSearch(await readRequest(call));
    const indexes: number[] = [];
    for (let after = first, most = Math.min(limit ?? PAGE, PAGE); ;) {
      const page = await this.#log.search({ terms, operator, limit: most, ...(after === undefined ? {} : { after }) });
      indexes.push(...page);
      after = page.at(-1);
      if (page.length < most || limit !== undefined) break;
      // Half an answer would pass for the whole one.
      if (indexes.length >= MAX_FOUND)
        throw new RekorError(
          'too-many',
          `the search finds ${MAX_FOUND} entries or more: ask for pages by 'limit' and 'after'`,
        );
    }
    // Each is hashed as it is read, so that the turns between reads are turns between hashes, too.
    const ids = indexes.map(async (index) =>
      (await this.#log.entries(index, 1)).map(({ leaf }) => entryId(this.#name, leaf)),
    );
    return json((await Promise.all(ids)).flat());
  }

  #info(): Reply {
    const { size, rootHash, checkpoint } = this.#log.tree();
    return json({
      inactiveShards: [],
      rootHash: Buffer.from(rootHash).toString('hex'),
      signedTreeHead: checkpoint,
      treeID: String(this.#name.treeId),
      treeSize: size,
    });
  }

  #publicKey(): Reply {
    const headers = { 'content-type': 'application/x-pem-file' };
    return { status: 200, headers, body: encodePublicKey(this.#name.signer.publicKey) };
  }

  async #consistency(query: URLSearchParams): Promise<Reply> {
    const first = countOf(query.get('firstSize') ?? '1', 'firstSize');
    const last = countOf(query.get('lastSize'), 'lastSize');
    const tree = this.#log.tree();
    if (first < 1 || first > last || last > tree.size)
      throw new RekorError(
        'request-malformed',
        `no tree of ${last} entries follows one of ${first} in a log of ${tree.size}`,
      );
    const hashes = await this.#log.consistency(first, last);
    const rootHash = Buffer.from(tree.rootHash).toString('hex');
    return json({ rootHash, hashes: hashes.map((one) => Buffer.from(one).toString('hex')) });
  }

  #requireTree(treeId: string | null): void {
    if (treeId === null || treeId === String(this.#name.treeId)) return;
    throw new RekorError('request-malformed', `this log has no tree '${printable(treeId, 30)}'`);
  }

  async #find(id: string): Promise<ProvenEntry | undefined> {
    const tree = id.slice(0, -64);
    if (tree !== '' && BigInt(`0x${tree}`) !== this.#name.treeId) return undefined;
    return await this.#at(await this.#log.indexOf(Buffer.from(id.slice(-64), 'hex')));
  }

  async #at(index: number | undefined): Promise<ProvenEntry | undefined> {
    return index === undefined ? undefined : await this.#log.entry(index);
  }
}

function listOf(value: Json | undefined, name: string): readonly Json[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new RekorError('request-malformed', `the request has '${name}' that are no list`);
  return value;
}

function indexOf(value: Json): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new RekorError('request-malformed', "the request has a 'logIndexes' of other than numbers from 0");
}

function idOf(value: Json): string {
  if (typeof value === 'string' && ENTRY_ID.test(value)) return value;
  throw new RekorError(
    'request-malformed',
    "the request has an 'entryUUIDs' of other than 64 or 80 hexadecimal digits",
  );
}
