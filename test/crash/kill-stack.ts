// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { randomBytes, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { decodeCheckpoint, decodeNote, decodeTimestampResponse } from '../../src/trust/index.ts';
import type { StackEndpoints } from '../../src/up/index.ts';
import { Machine } from '../chain/bulla.ts';
import {
  ask,
  onMachine,
  post,
  Proposer,
  sha256,
  startUp,
  timestampRequest,
  tokenOf,
  type ChainStack,
} from '../chain/stack.ts';
import { ok, tiles, v1Entries, type V1Entry } from './read-leaves.ts';
import { ToldLog, type ShownTree } from './told.ts';

/** What was shown by killing. */
export interface StackKillCount {
  readonly runs: number;
  /** acknowledged entries of the logs, each once */
  readonly entries: number;
  readonly certificates: number;
  readonly timestamps: number;
  readonly blobs: number;
  /** acknowledged, and then missing or another */
  readonly losses: number;
}

const CLIENTS = 12;
/** acknowledged answers after which a stack is killed, at the most */
const MOST = 160;
const DATA = 'killed';

/**
 * Kills `bulla up` under load, over and over on one data directory, and holds it to all that it ever acknowledged: entries of both logs at
 * their places, certificates in the certificate log and in the ledger, no serial number twice, blobs with their bytes, and every tree that was
 * shown on the way to the one that is. Fails by an AssertionError.
 *
 * @param looked told after each look, which found nothing lost
 */
export async function killStack(
  runs: number,
  looked: (runs: number) => void = () => undefined,
): Promise<StackKillCount> {
  using machine = new Machine();
  const told = new ToldStack();
  const ledger = join(machine.work, DATA, 'stack.db');
  for (let run = 0; run < runs; run++) {
    const stack = await startUp(machine, [], { data: DATA });
    await told.look(stack.endpoints, ledger);
    looked(run);
    const tokens = await Promise.all([1, 2, 3].map((n) => tokenOf(machine, DATA, `https://ci.example.com/${n}`)));
    await loadAndKill(stack, { run, tokens, told, acknowledged: 1 + Math.floor(Math.random() * MOST) });
  }
  const stack = await startUp(machine, [], { data: DATA });
  await told.look(stack.endpoints, ledger);
  const checked = await onMachine(machine, ['log', 'fsck', '--data', DATA]);
  assert.equal(checked.code, 0, checked.stdout + checked.stderr);
  assert.equal((await stack.stop()).code, 0);
  const { certificates, timestamps, blobs } = told;
  const entries = told.v1.entries + told.v2.entries;
  return { runs, entries, certificates: certificates.size, timestamps: timestamps.size, blobs: blobs.size, losses: 0 };
}

interface Load {
  readonly run: number;
  readonly tokens: readonly string[];
  readonly told: ToldStack;
  /** answers after which it is killed */
  readonly acknowledged: number;
}

/** Clients that ask until nobody answers. What was answered before is told. */
async function loadAndKill(stack: ChainStack, load: Load): Promise<void> {
  const { told, acknowledged } = load;
  let count = 0;
  const client = async (number: number): Promise<void> => {
    const proposer = new Proposer();
    for (let turn = 0; ; turn++) {
      const remember = await attempt(() => oneRequest(stack.endpoints, load, proposer, number, turn));
      if (remember === undefined) return;
      remember(told);
      if (++count === acknowledged) stack.running.child.kill('SIGKILL');
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  assert.equal((await stack.running.ended).code, 137, stack.running.stderr());
}

/** What was acknowledged, to be remembered; undefined where the stack is gone. */
async function attempt(
  request: () => Promise<(told: ToldStack) => void>,
): Promise<((told: ToldStack) => void) | undefined> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    return undefined;
  }
}

async function oneRequest(
  endpoints: StackEndpoints,
  { run, tokens }: Load,
  proposer: Proposer,
  client: number,
  turn: number,
): Promise<(told: ToldStack) => void> {
  const round = Math.floor(turn / 5);
  // each fourth round says again what was said before
  const text = `${run}-${client}-${round % 4 === 3 ? round - 1 : round}`;
  switch (turn % 5) {
    case 0: {
      const { text: body } = ok(await post(`${endpoints.rekor2}/api/v2/log/entries`, proposer.v2(text)), 201);
      return (told) => told.entered(told.v2, readV2(body));
    }
    case 1: {
      const { text: body } = ok(await post(`${endpoints.rekor}/api/v1/log/entries`, proposer.v1(text)), 201);
      return (told) => told.entered(told.v1, readV1(Object.values(JSON.parse(body) as Record<string, V1Entry>)[0]));
    }
    case 2: {
      const at = (client + turn) % tokens.length;
      const subject = `https://ci.example.com/${at + 1}`;
      const headers = { authorization: `Bearer ${tokens[at] ?? ''}` };
      const url = `${endpoints.fulcio}/api/v2/signingCert`;
      const { text: body } = ok(await post(url, proposer.certificate(subject), headers), 200);
      return (told) => told.certified(body);
    }
    case 3: {
      const init = { method: 'POST', headers: { 'content-type': 'application/json' } };
      const answer = await fetch(endpoints.tsa, { ...init, body: JSON.stringify(timestampRequest(text)) });
      const der = new Uint8Array(await answer.arrayBuffer());
      assert.equal(answer.status, 201);
      return (told) => told.stamped(der);
    }
    default: {
      const blob = randomBytes(4000);
      const digest = `sha256:${sha256(blob).toString('hex')}`;
      const url = `${endpoints.registry}/v2/load/app/blobs/uploads/?digest=${digest}`;
      const headers = { 'content-type': 'application/octet-stream' };
      ok(await ask(url, { method: 'POST', headers, body: blob }), 201);
      return (told) => void told.blobs.set(digest, false);
    }
  }
}

interface Acknowledged {
  readonly index: number;
  readonly leaf: Uint8Array;
  readonly tree: ShownTree;
}

function readV1(entry: V1Entry | undefined): Acknowledged {
  assert.ok(entry !== undefined);
  const { rootHash: root, treeSize: size } = entry.verification.inclusionProof;
  return { index: entry.logIndex, leaf: Buffer.from(entry.body, 'base64'), tree: { size, root } };
}

function readV2(text: string): Acknowledged {
  const entry = JSON.parse(text) as {
    readonly logIndex?: string;
    readonly canonicalizedBody: string;
    readonly inclusionProof: { readonly checkpoint: { readonly envelope: string } };
  };
  const tree = readNote(entry.inclusionProof.checkpoint.envelope);
  return { index: Number(entry.logIndex ?? 0), leaf: Buffer.from(entry.canonicalizedBody, 'base64'), tree };
}

function readNote(envelope: string): ShownTree {
  const { size, root } = decodeCheckpoint(decodeNote(envelope, 'the checkpoint').text, 'the checkpoint');
  return { size, root: Buffer.from(root).toString('hex') };
}

/** What a stack has acknowledged. */
class ToldStack {
  readonly v1 = new ToldLog('Rekor v1');
  readonly v2 = new ToldLog('Rekor v2');
  readonly #certificateLog = new ToldLog('certificate log');
  /** serial numbers in hex; whether the certificate log was seen to have it */
  readonly certificates = new Map<string, boolean>();
  readonly timestamps = new Set<string>();
  /** digests; whether it was read back */
  readonly blobs = new Map<string, boolean>();

  entered(log: ToldLog, { index, leaf, tree }: Acknowledged): void {
    log.entry(index, leaf, tree);
  }

  certified(body: string): void {
    const { signedCertificateEmbeddedSct: answer } = JSON.parse(body) as {
      signedCertificateEmbeddedSct: { chain: { certificates: readonly string[] } };
    };
    const serial = new X509Certificate(answer.chain.certificates[0] ?? '').serialNumber.toLowerCase();
    if (!this.certificates.has(serial)) this.certificates.set(serial, false);
  }

  stamped(der: Uint8Array): void {
    const response = decodeTimestampResponse(der);
    assert.ok(response.kind === 'granted');
    const serial = Buffer.from(response.token.info.serialNumber).toString('hex');
    assert.ok(!this.timestamps.has(serial), 'a serial number of timestamps was used twice');
    this.timestamps.add(serial);
  }

  /** Holds a stack that was started again to all of it. */
  async look(endpoints: StackEndpoints, ledger: string): Promise<void> {
    this.#lookAtLedger(ledger);
    const { text: note } = ok(await ask(`${endpoints.rekor2}/checkpoint`), 200);
    await this.v2.look(readNote(note), tiles(endpoints));
    const { text: info } = ok(await ask(`${endpoints.rekor}/api/v1/log`), 200);
    const { rootHash, treeSize } = JSON.parse(info) as { rootHash: string; treeSize: number };
    await this.v1.look({ size: treeSize, root: rootHash }, v1Entries(endpoints));
    await this.#lookAtCertificateLog(endpoints);
    for (const [digest, read] of this.blobs) {
      if (read) continue;
      const answer = await fetch(`${endpoints.registry}/v2/load/app/blobs/${digest}`);
      assert.equal(answer.status, 200, `${digest} was acknowledged`);
      assert.equal(`sha256:${sha256(new Uint8Array(await answer.arrayBuffer())).toString('hex')}`, digest);
      this.blobs.set(digest, true);
    }
  }

  /** Every certificate is in the ledger of uses, which names the token and the rule. */
  #lookAtLedger(path: string): void {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      const issued = "SELECT hex(serial) AS serial FROM certificate_token_uses WHERE outcome = 'issued'";
      const rows = database.prepare(issued).all();
      const ledger = new Set(rows.map(({ serial }) => trimmed(String(serial))));
      for (const serial of this.certificates.keys())
        assert.ok(ledger.has(trimmed(serial)), `the certificate ${serial} was given out and is not in the ledger`);
    } finally {
      database.close();
    }
  }

  async #lookAtCertificateLog({ fulcio }: StackEndpoints): Promise<void> {
    const { text } = ok(await ask(`${fulcio}/ct/v1/get-sth`), 200);
    const head = JSON.parse(text) as { tree_size: number; sha256_root_hash: string };
    const tree = { size: head.tree_size, root: Buffer.from(head.sha256_root_hash, 'base64').toString('hex') };
    const seen: string[] = [];
    await this.#certificateLog.look(tree, async function* (from, size) {
      for (let at = from; at < size;) {
        const page = ok(await ask(`${fulcio}/ct/v1/get-entries?start=${at}&end=${size - 1}`), 200);
        const { entries } = JSON.parse(page.text) as { entries: readonly { leaf_input: string }[] };
        for (const { leaf_input: leaf } of entries) {
          seen.push(leaf);
          yield Buffer.from(leaf, 'base64');
        }
        at += entries.length;
      }
    });
    const logged = seen.map((leaf) => Buffer.from(leaf, 'base64').toString('hex'));
    for (const [serial, found] of this.certificates) {
      if (found) continue;
      assert.ok(
        logged.some((leaf) => leaf.includes(serial)),
        `the certificate ${serial} was given out and is not in the certificate log`,
      );
      this.certificates.set(serial, true);
    }
  }
}

function trimmed(serial: string): string {
  return serial.toLowerCase().replace(/^(?:00)+/, '');
}
