// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { serveRegistry, type RunningRegistry } from '../../src/registry/index.ts';
import { compareManifests } from './compare-manifests.ts';
import { compareEnding, compareLines, compareTree, compareVerified, expectedEnding, nameOf } from './compare.ts';
import { differencesFor, readDifferences, recordedExit } from './differences.ts';
import { Layout } from './layout.ts';
import { LEFT_OUT, leftOut } from './left-out.ts';
import { canPlay, Folder, onStage, play, savedBy, type Stage } from './play.ts';
import { OVERWRITTEN, Recording, writtenKind, type RepositoryState } from './recording.ts';
import { withoutSignatures } from './seal-shape.ts';
import { pushFallbackIndex, pushState, serveWithoutReferrers, type OldRegistry } from './stage.ts';
import { GOLDEN, recordedCases, type RecordedCommand } from './transcript.ts';

// Recorded runs of the real cosign, played again with bulla: the same verdicts and the same output, but for what
// docs/cosign-differences.md names.

const recordings = recordedCases().map((name) => new Recording(name));
const rows = readDifferences();
const base = new Layout(join(GOLDEN, '_base'));

let data = '';
let registry: RunningRegistry;
let old: OldRegistry;
before(async () => {
  data = mkdtempSync(join(tmpdir(), 'bulla-golden-'));
  // `--replace` drops attestations, which our registry keeps unless told
  registry = await serveRegistry({ data, port: 0, mutable: ['**/attest-replace-*:sha256-*'] });
  old = await serveWithoutReferrers(registry.url);
});
after(async () => {
  await old.close();
  await registry.close();
  rmSync(data, { recursive: true, force: true });
});

const KINDS = ['with the referrers API', 'without the referrers API'] as const;
type Kind = (typeof KINDS)[number];

function hostOf(kind: Kind): string {
  return `localhost:${new URL(kind === 'with the referrers API' ? registry.url : old.origin).port}`;
}

let moments = 0;

/** Puts what cosign had left in the registry at one moment on a stage of its own. */
async function setStage(kind: Kind, recording: Recording, next: RecordedCommand): Promise<Stage> {
  const stage = { host: hostOf(kind), prefix: `s${++moments}/` };
  // a case that left nothing behind began with the images of all others
  const [layout, states] = recording.hasLayout
    ? [recording.layout, recording.before(next)]
    : [base, [untouched(recording)]];
  for (const state of states) {
    const path = stage.prefix + state.path;
    await pushState(registry.url, path, state, layout);
    if (kind === 'without the referrers API') await pushFallbackIndex(registry.url, path, state, layout);
  }
  return stage;
}

function untouched({ name }: Recording): RepositoryState {
  const tags = new Map(base.entries().map(({ tag = '', digest }) => [tag, digest]));
  return { path: `golden/${name}`, tags, referrers: [] };
}

/** Plays a command that reads, and compares what it says. */
async function playReading(command: RecordedCommand, stage: Stage, folder: Folder, anyDigest: boolean): Promise<void> {
  if (!canPlay(command)) return;
  const ending = expectedEnding(rows, command);
  const ran = await play(command, stage, folder);
  compareEnding(command, ran, ending);
  // where cosign failed there is nothing to compare with
  if (ran.code !== 0 || recordedExit(command) !== 0 || ending.otherOutput) return;
  const verb = command.args[0];
  const shapeOf = (line: string): string => onStage(withoutSignatures(line), stage);
  if (verb === 'verify-attestation' || verb === 'download') {
    const all = verb === 'download' ? ran : await play(command, stage, folder, ['--all']);
    compareLines(command, all, ...(anyDigest ? [shapeOf] : []));
  } else if (verb === 'verify') compareVerified(command, ran, await play(command, stage, folder, ['--all']));
  else if (verb === 'tree') compareTree(command, ran, anyDigest);
  else if (verb === 'attest-blob')
    assert.equal(membersOf(ran.stdout), membersOf(command.outcome?.stdout ?? ''), nameOf(command));
  else if (verb === 'sign-blob')
    assert.equal(signatureless(ran.stdout), signatureless(command.outcome?.stdout ?? ''), nameOf(command));
  else if (verb === 'save') compareSaved(command, ran.stdout, folder, anyDigest);
  else if (verb === 'attach') assert.match(ran.stdout, SEALED, nameOf(command));
  else if (verb === 'load')
    assert.match(ran.stdout, /^localhost:\d+\/[\w./-]+:v1@sha256:[0-9a-f]{64}\n$/, nameOf(command));
  else assert.equal(ran.stdout, command.outcome?.stdout, nameOf(command));
}

/** What bulla saved has all that cosign saved, and its entries are marked alike. */
function compareSaved(command: RecordedCommand, stdout: string, folder: Folder, anyDigest: boolean): void {
  // cosign prints nothing; bulla what it saved
  assert.match(stdout, /^localhost:\d+\/[\w./-]+@sha256:[0-9a-f]{64}\n$/, nameOf(command));
  const name = savedBy(command);
  const ours = new Layout(join(folder.path, name));
  const recorded = new Layout(join(folder.path, name.replace('bulla-', '')));
  assert.ok(recorded.marked().length > 0);
  for (const entry of recorded.marked()) {
    assert.ok(
      ours.marked().some(({ digest, kind }) => kind === entry.kind && (anyDigest || digest === entry.digest)),
      `${nameOf(command)}: ${entry.kind}`,
    );
  }
  if (anyDigest) return;
  for (const digest of recorded.blobs()) assert.deepEqual(ours.blob(digest), recorded.blob(digest), nameOf(command));
}

/** The members of an envelope that was made: what it holds is compared where it is written. */
function membersOf(stdout: string): string {
  return stdout === '' ? '' : Object.keys(JSON.parse(stdout) as object).join();
}

/** A signature is another each time. */
function signatureless(stdout: string): string {
  return stdout.replace(/^[A-Za-z0-9+/]{80,}={0,2}$/m, 'signature');
}

/** cosign prints nothing; bulla what it sealed */
const SEALED = /^localhost:\d+\/[\w./-]+@sha256:[0-9a-f]{64}\n$/;

const reads = (command: RecordedCommand): boolean =>
  command.args[0] !== 'sign' && command.args[0] !== 'attest' && leftOut(command).length === 0;

for (const kind of KINDS) {
  describe(`what cosign wrote is read on a registry ${kind}`, { concurrency: 4 }, () => {
    for (const recording of recordings.filter(({ commands }) => commands.some(reads))) {
      test(recording.name, async (context) => {
        const folder = new Folder(recording.name);
        context.after(() => folder.remove());
        let stage: Stage | undefined;
        let shown = '';
        for (const command of recording.commands.filter(reads)) {
          const moment = JSON.stringify(recording.before(command), (_, value: unknown) =>
            value instanceof Map ? [...value] : value,
          );
          if (stage === undefined || moment !== shown) stage = await setStage(kind, recording, command);
          shown = moment;
          await playReading(command, stage, folder, false);
        }
      });
    }
  });
}

describe('what bulla writes in the place of cosign', { concurrency: 4 }, () => {
  for (const recording of recordings) {
    const first = recording.commands.find(signs);
    if (first === undefined) continue;
    test(recording.name, async (context) => {
      const overApi = recording.commands.some(({ line }) => line.includes('localhost:5563'));
      const kind = overApi ? 'with the referrers API' : 'without the referrers API';
      const stage = await setStage(kind, recording, first);
      const folder = new Folder(recording.name);
      context.after(() => folder.remove());
      let inStep = !OVERWRITTEN.test(recording.name);
      for (const command of recording.commands.slice(first.at - 1)) {
        if (inStep && (departs(command) || isRepeated(recording, command))) {
          await compareManifests(recording, command, stage, registry.url, kind);
          inStep = false;
        }
        if (signs(command)) await playSigning(command, stage, folder);
        else if (inStep && reads(command) && !command.args.includes('--local-image')) {
          await playReading(command, stage, folder, true);
        }
      }
      const end = { ...first, at: recording.commands.length + 1 };
      if (inStep) await compareManifests(recording, end, stage, registry.url, kind);
    });
  }
});

function signs(command: RecordedCommand): boolean {
  return ['sign', 'attest', 'attach'].includes(command.args[0] ?? '') && leftOut(command).length === 0;
}

/** True where bulla does not write what cosign wrote, so that from here on the registry holds something else. */
function departs(command: RecordedCommand): boolean {
  if (signs(command)) return expectedEnding(rows, command).exit !== recordedExit(command);
  // `load` pushed the image before it failed
  if (command.args[0] === 'clean' || command.args[0] === 'load') return true;
  return writtenKind(command) !== undefined && recordedExit(command) === 0;
}

/** cosign lays what is there already there again; bulla sees that it is. */
function isRepeated({ commands }: Recording, { at, args }: RecordedCommand): boolean {
  return args[0] === 'attach' && commands.slice(0, at - 1).some((earlier) => earlier.args.join() === args.join());
}

async function playSigning(command: RecordedCommand, stage: Stage, folder: Folder): Promise<void> {
  const ran = await play(command, stage, folder);
  compareEnding(command, ran, expectedEnding(rows, command));
  if (ran.code !== 0) return;
  if (command.args.includes('--no-upload')) {
    // cosign 2 prints the envelope, and so does bulla
    const printed = recordedExit(command) === 0 ? command.outcome?.stdout : '';
    if (printed !== '') assert.equal(membersOf(ran.stdout), membersOf(printed ?? ''), nameOf(command));
    return;
  }
  assert.match(ran.stdout, SEALED, nameOf(command));
}

describe('nothing is passed over', () => {
  test('every recorded command is replayed, or left out for one reason', () => {
    for (const { commands } of recordings) {
      for (const command of commands) {
        const why = leftOut(command);
        assert.ok(why.length <= 1, `${nameOf(command)} is left out twice`);
        if (why.length === 1) continue;
        assert.ok(reads(command) || signs(command), nameOf(command));
        assert.match(command.program, /^cosign-(2\.5\.0|3\.1\.1)$/, nameOf(command));
      }
    }
  });

  test('every reason for leaving out is needed', () => {
    const all = recordings.flatMap(({ commands }) => commands);
    for (const row of LEFT_OUT) {
      assert.ok(
        all.some((command) => leftOut(command).includes(row)),
        `${row.cases}: ${row.command}`,
      );
    }
  });

  test('every row of docs/cosign-differences.md is true of a replayed command', () => {
    const all = recordings.flatMap(({ commands }) => commands).filter((command) => leftOut(command).length === 0);
    for (const row of rows) {
      const commands = all.filter((command) => differencesFor([row], command).length > 0);
      assert.ok(commands.length > 0, `row ${row.row} names no replayed command`);
      for (const pattern of row.cases) {
        assert.ok(
          commands.some((command) => differencesFor([{ ...row, cases: [pattern] }], command).length > 0),
          `row ${row.row}: ${pattern}`,
        );
      }
      for (const [program, exit] of Object.entries(row.cosign)) {
        const ran = exit === undefined || commands.some((command) => command.program === program);
        assert.ok(ran, `row ${row.row}: ${program} did not end with ${exit}`);
      }
      const differs = row.bulla.otherOutput || commands.every((command) => recordedExit(command) !== row.bulla.exit);
      assert.ok(differs, `row ${row.row} is no difference`);
    }
  });
});
