// SPDX-License-Identifier: Apache-2.0
import type { Signer } from '../../../trust/index.ts';
import { encodeBase64 } from '../../../wire/index.ts';
import type { PublishedTree } from '../../log/append-log.ts';

/** A tree head as RFC 6962 answers it. @see https://www.rfc-editor.org/rfc/rfc6962#section-4.3 */
export interface SignedTreeHead {
  readonly tree_size: number;
  /** milliseconds since 1970 */
  readonly timestamp: number;
  /** base64 */
  readonly sha256_root_hash: string;
  /** base64 of a DigitallySigned */
  readonly tree_head_signature: string;
}

/** a head of an old tree is signed anew after this, so that it shows that the log lives */
const FRESH_MS = 60_000;
const VERSION_1 = 0;
const TREE_HASH = 1;
const SHA256 = 4;
const RSA = 1;
const ECDSA = 3;

/** Signs heads of trees: one signature for a tree and a minute, however many ask. */
export class TreeHeads {
  readonly #now: () => Date;
  #last: { readonly signer: Signer; readonly head: Promise<SignedTreeHead>; readonly tree: PublishedTree } | undefined;
  #time = 0;

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** @throws what the signer throws */
  async of(signer: Signer, tree: PublishedTree): Promise<SignedTreeHead> {
    const last = this.#last;
    const now = this.#now().getTime();
    if (last?.signer === signer && last.tree.size === tree.size && now >= this.#time && now - this.#time < FRESH_MS)
      return last.head;
    // Later than every timestamp that was given for an entry of the tree, and never earlier than the head before.
    this.#time = Math.max(now, this.#time);
    const head = signHead(signer, tree, this.#time);
    this.#last = { signer, head, tree };
    head.catch(() => {
      if (this.#last?.head === head) this.#last = undefined;
    });
    return head;
  }
}

async function signHead(signer: Signer, tree: PublishedTree, timestamp: number): Promise<SignedTreeHead> {
  const data = Buffer.alloc(18);
  data.writeUInt8(VERSION_1, 0);
  data.writeUInt8(TREE_HASH, 1);
  data.writeBigUInt64BE(BigInt(timestamp), 2);
  data.writeBigUInt64BE(BigInt(tree.size), 10);
  const signature = await signer.sign(Buffer.concat([data, tree.rootHash]));
  const prefix = Buffer.from([SHA256, signer.publicKey.algorithm.startsWith('rsa-') ? RSA : ECDSA, 0, 0]);
  prefix.writeUInt16BE(signature.length, 2);
  return {
    tree_size: tree.size,
    timestamp,
    sha256_root_hash: encodeBase64(tree.rootHash),
    tree_head_signature: encodeBase64(Buffer.concat([prefix, signature])),
  };
}
