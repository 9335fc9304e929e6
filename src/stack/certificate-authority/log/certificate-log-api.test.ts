// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { leafHash, verifyConsistency, verifyInclusion, verifySignature } from '../../../trust/index.ts';
import {
  ask,
  callOf,
  keyBody,
  newClientKey,
  openTestAuthority,
  v2Call,
  type TestAuthority,
} from '../certificate-authority.fixture.ts';

const PERSON = 'dev@example.com';

interface TreeHead {
  readonly tree_size: number;
  readonly timestamp: number;
  readonly sha256_root_hash: string;
  readonly tree_head_signature: string;
}

async function get<Value>(ca: TestAuthority, path: string, status = 200): Promise<Value> {
  const reply = await ask(ca.certificateLogService, callOf('GET', `/ct/v1/${path}`));
  assert.equal(reply.status, status, reply.text);
  return JSON.parse(reply.text) as Value;
}

async function issue(ca: TestAuthority, count: number): Promise<void> {
  const token = await ca.issuer.personToken();
  for (let round = 0; round < count; round++) {
    const reply = await ask(ca.service, v2Call(token, keyBody(await newClientKey(PERSON))));
    assert.equal(reply.status, 200, reply.text);
  }
}

const decode = (text: string): Buffer => Buffer.from(text, 'base64');

test('a tree head is signed by the key that signs the timestamps', async () => {
  await using ca = await openTestAuthority();
  await issue(ca, 3);
  const head = await get<TreeHead>(ca, 'get-sth');
  assert.equal(head.tree_size, 3);
  assert.ok(decode(head.sha256_root_hash).equals(ca.log.tree().rootHash));
  const data = Buffer.alloc(18);
  data[1] = 1;
  data.writeBigUInt64BE(BigInt(head.timestamp), 2);
  data.writeBigUInt64BE(3n, 10);
  const signed = decode(head.tree_head_signature);
  assert.deepEqual([...signed.subarray(0, 2)], [4, 3]);
  assert.equal(signed.readUInt16BE(2), signed.length - 4);
  const message = Buffer.concat([data, decode(head.sha256_root_hash)]);
  const { publicKey } = ca.issuance.certificateLog.signer;
  assert.notEqual(await verifySignature(publicKey, message, signed.subarray(4)), undefined);
});

test('a tree head is never earlier than the one before, and not signed at every asking', async () => {
  let now = Date.now();
  await using ca = await openTestAuthority({ now: () => new Date(now) });
  const first = await get<TreeHead>(ca, 'get-sth');
  now += 1000;
  assert.deepEqual(await get<TreeHead>(ca, 'get-sth'), first);
  now += 120_000;
  const second = await get<TreeHead>(ca, 'get-sth');
  assert.equal(second.timestamp, now);
  now -= 3600_000;
  assert.ok((await get<TreeHead>(ca, 'get-sth')).timestamp >= second.timestamp);
});

describe('proofs', () => {
  test('of inclusion hold for every entry in every tree that there was', async () => {
    await using ca = await openTestAuthority();
    const heads: TreeHead[] = [];
    for (let round = 0; round < 7; round++) {
      await issue(ca, 1);
      heads.push(await get<TreeHead>(ca, 'get-sth'));
    }
    const { entries } = await get<{ entries: { leaf_input: string }[] }>(ca, 'get-entries?start=0&end=6');
    for (const [index, { leaf_input: leaf }] of entries.entries()) {
      const hash = leafHash(decode(leaf));
      for (const { tree_size: size, sha256_root_hash: root } of heads.slice(index)) {
        const query = `hash=${encodeURIComponent(Buffer.from(hash).toString('base64'))}&tree_size=${size}`;
        const proof = await get<{ leaf_index: number; audit_path: string[] }>(ca, `get-proof-by-hash?${query}`);
        assert.equal(proof.leaf_index, index);
        assert.ok(verifyInclusion(hash, index, { size, root: decode(root) }, proof.audit_path.map(decode)));
      }
    }
  });

  test('of consistency hold between all trees', async () => {
    await using ca = await openTestAuthority();
    const heads = [await get<TreeHead>(ca, 'get-sth')];
    for (let round = 0; round < 5; round++) {
      await issue(ca, 1);
      heads.push(await get<TreeHead>(ca, 'get-sth'));
    }
    for (const [first, older] of heads.entries()) {
      for (const [offset, newer] of heads.slice(first).entries()) {
        const second = first + offset;
        const { consistency } = await get<{ consistency: string[] }>(
          ca,
          `get-sth-consistency?first=${first}&second=${second}`,
        );
        if (first === 0) assert.deepEqual(consistency, []);
        else {
          const [from, to] = [older, newer].map((head) => ({
            size: head.tree_size,
            root: decode(head.sha256_root_hash),
          }));
          assert.ok(from && to && verifyConsistency(from, to, consistency.map(decode)));
        }
      }
    }
  });

  test('by a hash whose plus signs came as spaces are found as well', async () => {
    await using ca = await openTestAuthority();
    await issue(ca, 1);
    const entry = await ca.log.entry(0);
    const hash = Buffer.from(leafHash(entry?.leaf ?? new Uint8Array())).toString('base64');
    await get(ca, `get-proof-by-hash?hash=${hash}&tree_size=1`);
  });
});

test('entries come with what they were made of, at most 256 at a time, and no further than the tree goes', async () => {
  await using ca = await openTestAuthority();
  await issue(ca, 3);
  const { entries } = await get<{ entries: { leaf_input: string; extra_data: string }[] }>(
    ca,
    'get-entries?start=1&end=900',
  );
  assert.equal(entries.length, 2);
  const extra = decode(entries[0]?.extra_data ?? '');
  const precertificate = extra.readUIntBE(0, 3);
  const chain = extra.subarray(3 + precertificate + 3);
  assert.equal(extra.readUIntBE(3 + precertificate, 3), chain.length);
  const [issuer, root] = ca.issuance.authority.chain;
  assert.ok(chain.subarray(3, 3 + issuer.der.length).equals(issuer.der));
  assert.ok(chain.subarray(-(root?.der.length ?? 0)).equals(root?.der ?? new Uint8Array()));
});

test('the roots are those of the chains that issue', async () => {
  await using ca = await openTestAuthority();
  const { certificates } = await get<{ certificates: string[] }>(ca, 'get-roots');
  assert.equal(certificates.length, 1);
  assert.ok(decode(certificates[0] ?? '').equals(ca.issuance.authority.chain[1]?.der ?? new Uint8Array()));
});

test('what cannot be asked is refused', async () => {
  await using ca = await openTestAuthority();
  await issue(ca, 2);
  const none = Buffer.alloc(32).toString('base64url').replaceAll('_', '/');
  for (const [path, status] of [
    ['get-entries', 400],
    ['get-entries?start=2&end=3', 400],
    ['get-entries?start=1&end=0', 400],
    ['get-entries?start=-1&end=0', 400],
    ['get-entries?start=0&end=99999999999999999999', 400],
    ['get-sth-consistency?first=2&second=1', 400],
    ['get-sth-consistency?first=1&second=3', 400],
    ['get-proof-by-hash?hash=x&tree_size=1', 400],
    [`get-proof-by-hash?hash=${none}%3D&tree_size=2`, 404],
    [`get-proof-by-hash?hash=${none}%3D&tree_size=3`, 400],
    ['add-chain', 404],
    ['', 404],
  ] as const) {
    await get(ca, path, status);
  }
  const post = await ask(ca.certificateLogService, callOf('POST', '/ct/v1/get-sth'));
  assert.equal(post.status, 405);
});
