// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { InclusionProof, LogEntry } from '../bundle/log-entry.ts';
import { goldenBundles, goldenLogs, loggedIn } from './golden-bundle.fixture.ts';
import { verifyLogEntry, type LogEntryCheck } from './verify-entry.ts';

function accepted(check: LogEntryCheck): Extract<LogEntryCheck, { kind: 'accepted' }> {
  assert.ok(check.kind === 'accepted', check.kind === 'rejected' ? JSON.stringify(check.rejection) : '');
  return check;
}

/** The entry with something of its proof otherwise. */
function withProof(entry: LogEntry, change: Partial<InclusionProof>): LogEntry {
  assert.ok(entry.inclusionProof !== undefined);
  return { ...entry, inclusionProof: { ...entry.inclusionProof, ...change } };
}

/** With one octet, counted from the end, that is another. */
function withOctet(octets: Uint8Array, fromEnd: number): Uint8Array {
  const at = octets.length - fromEnd;
  return Uint8Array.from(octets).with(at, (octets[at] ?? 0) ^ 1);
}

describe('what the real cosign wrote', () => {
  const logs = goldenLogs();
  const bundles = goldenBundles([
    'keyless-3.1.1-rekor1',
    'keyless-3.1.1-rekor1-tsa',
    'keyless-2.5.0-env',
    'key-tlog-3.1.1-rekor1',
    'key-tlog-3.1.1-rekor2',
    'misc-3.1.1',
  ]);
  const recorded = [...bundles].flatMap(([path, bundle]) =>
    bundle.logEntries.map((entry) => ({ path, bundle, entry })),
  );

  test('is accepted, entry by entry', () => {
    assert.ok(recorded.length >= 20, `${recorded.length} entries`);
    for (const { path, bundle, entry } of recorded) {
      const check = verifyLogEntry(entry, loggedIn(bundle), logs);
      assert.ok(check.kind === 'accepted', `${path}: ${JSON.stringify(check)}`);
      assert.equal(check.included, true, path);
      assert.equal(check.promised, check.integratedTime !== undefined, path);
    }
  });

  test('is rejected with the entry of another bundle', () => {
    for (const { path, bundle } of recorded)
      for (const other of recorded) {
        const same = Buffer.compare(loggedIn(other.bundle).signature, loggedIn(bundle).signature) === 0;
        if (same) continue;
        const check = verifyLogEntry(other.entry, loggedIn(bundle), logs);
        assert.ok(check.kind === 'rejected', `${path} with the entry of ${other.path}`);
        assert.match(check.rejection.code, /^log-entry-(?:signature|key|digest)-mismatch$/);
      }
  });

  // The changes of the recorded `tamper-keyless-*` runs, and what cosign 3.1.1 made of them (cosign.md section 4).
  const changes: Readonly<Record<string, (entry: LogEntry) => LogEntry>> = {
    'another log index': (entry) => ({ ...entry, logIndex: entry.logIndex + 1 }),
    'another integrated time': (entry) => ({ ...entry, integratedTime: (entry.integratedTime ?? 0) + 1 }),
    'another log': (entry) => ({ ...entry, logKeyId: Buffer.alloc(32) }),
    'a changed promise': (entry) => ({
      ...entry,
      signedEntryTimestamp: withOctet(entry.signedEntryTimestamp ?? Uint8Array.of(0), 1),
    }),
    'a changed kind': (entry) => ({ ...entry, kindVersion: { kind: 'rekord', version: '0.0.1' } }),
    // cosign accepts the next two, of which it reads nothing in a bundle of Rekor v2.
    'a changed version': (entry) => ({
      ...entry,
      kindVersion: { kind: entry.kindVersion?.kind ?? '', version: '9.9.9' },
    }),
    'a changed body': (entry) => ({ ...entry, canonicalizedBody: withOctet(entry.canonicalizedBody, 20) }),
    'a changed index in the proof': (entry) =>
      withProof(entry, { logIndex: (entry.inclusionProof?.logIndex ?? 0) + 1 }),
    'a changed size': (entry) => withProof(entry, { treeSize: (entry.inclusionProof?.treeSize ?? 0) + 1 }),
    // cosign computes it anew
    'a changed root': (entry) => withProof(entry, { rootHash: Buffer.alloc(32) }),
    'a changed path': (entry) =>
      withProof(entry, { hashes: [Buffer.alloc(32), ...(entry.inclusionProof?.hashes ?? [])] }),
    'a changed checkpoint': (entry) =>
      withProof(entry, { checkpoint: (entry.inclusionProof?.checkpoint ?? '').replace('localhost', 'localhosu') }),
    'a changed signature of the checkpoint': (entry) =>
      withProof(entry, { checkpoint: (entry.inclusionProof?.checkpoint ?? '').replace(/.{8}(=*\n)$/, 'AAAAAAAA$1') }),
    'no evidence': ({ logIndex, logKeyId = Buffer.alloc(32), canonicalizedBody }) => ({
      logIndex,
      logKeyId,
      canonicalizedBody,
    }),
  };
  for (const [name, change] of Object.entries(changes))
    test(`is rejected with ${name}`, () => {
      for (const { path, bundle, entry } of recorded) {
        // Entries of Rekor v2 have no time, and none that is put there is read.
        if (name === 'another integrated time' && entry.signedEntryTimestamp === undefined) {
          assert.equal(accepted(verifyLogEntry(change(entry), loggedIn(bundle), logs)).integratedTime, undefined);
          continue;
        }
        assert.equal(verifyLogEntry(change(entry), loggedIn(bundle), logs).kind, 'rejected', path);
      }
    });

  test('is never accepted with a changed octet of what the log signed, and answers in codes whatever is changed', () => {
    const octet = fc.record({ at: fc.nat(), mask: fc.integer({ min: 1, max: 255 }) });
    const fields = ['signedEntryTimestamp', 'canonicalizedBody', 'logKeyId'] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...recorded),
        fc.constantFrom(...fields),
        octet,
        ({ bundle, entry }, field, { at, mask }) => {
          const octets = entry[field];
          if (octets === undefined || octets.length === 0) return;
          const place = at % octets.length;
          const changed = Uint8Array.from(octets).with(place, (octets[place] ?? 0) ^ mask);
          const check = verifyLogEntry({ ...entry, [field]: changed }, loggedIn(bundle), logs);
          assert.equal(check.kind, 'rejected');
        },
      ),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...recorded),
        fc.nat(),
        fc.string({ maxLength: 3 }),
        fc.nat(4),
        ({ bundle, entry }, at, put, cut) => {
          const note = entry.inclusionProof?.checkpoint ?? '';
          const place = at % note.length;
          const checkpoint = note.slice(0, place) + put + note.slice(place + cut);
          const check = verifyLogEntry(withProof(entry, { checkpoint }), loggedIn(bundle), logs);
          // Only what nobody signs may change: the name under a checkpoint of Rekor v1.
          if (check.kind === 'accepted')
            assert.equal(checkpoint.replace(/— \S+ /, ''), note.replace(/— \S+ /, ''), JSON.stringify([put, cut]));
        },
      ),
      { numRuns: 500 },
    );
  });
});
