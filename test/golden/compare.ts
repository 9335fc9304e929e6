// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { differencesFor, recordedExit, type Difference, type Ending } from './differences.ts';
import type { Ran } from './in-process.ts';
import type { RecordedCommand } from './transcript.ts';

/** How bulla must end: as cosign did, or as the one row says that names the command. */
export function expectedEnding(rows: readonly Difference[], command: RecordedCommand): Ending {
  const found = differencesFor(rows, command);
  assert.ok(found.length <= 1, `${nameOf(command)}: rows ${found.map(({ row }) => row).join(' and ')} name it`);
  return found[0]?.bulla ?? { exit: recordedExit(command), otherOutput: false };
}

/** What a test says of a command when it fails. */
export function nameOf(command: RecordedCommand): string {
  return `${command.case} #${command.at}: ${command.line}`;
}

/** First words of a refusal: the same as cosign's, because pipelines look for them. */
const FIRST_WORDS: Readonly<Record<number, string>> = {
  10: 'no signatures found',
  11: 'image tag not found',
  12: 'no matching signatures',
  13: 'no certificate found on signature',
};

/** The same of `verify-attestation`. */
const ATTESTATION_WORDS: Readonly<Record<number, string>> = {
  10: 'no matching attestations',
  11: 'image tag not found',
  12: '(?:no matching attestations|none of the attestations matched the predicate type)',
  13: 'no matching attestations',
};

/** Compares the exit code, and that what failed says so and prints nothing. */
export function compareEnding(command: RecordedCommand, ran: Ran, ending: Ending): void {
  assert.equal(ran.code, ending.exit, `${nameOf(command)}\n${ran.stderr}`);
  if (ran.code === 0) return;
  const words = (command.args[0] === 'verify-attestation' ? ATTESTATION_WORDS : FIRST_WORDS)[ran.code] ?? '';
  assert.match(ran.stderr, new RegExp(`^Error: ${words}`, 'm'), nameOf(command));
  // of several images the good ones are printed
  if (command.args.filter((arg) => arg.includes('/golden/')).length < 2) assert.equal(ran.stdout, '', nameOf(command));
}

/**
 * Compares what a trusted image printed. cosign looks at one format only, and prints all seals of it; bulla ends at the first that is
 * good, and prints the same with `--all`, beside those of the other format.
 */
export function compareVerified(command: RecordedCommand, ran: Ran, all: Ran): void {
  const recorded = command.outcome?.stdout ?? '';
  const [expected, shown, everything] = [recorded, ran.stdout, all.stdout].map((text) => elements(text));
  assert.ok(expected !== undefined && shown !== undefined && everything !== undefined);
  const types = new Set(expected.map(typeOf));
  const sameType = everything.filter((element) => types.has(typeOf(element)));
  assert.deepEqual(sameType.toSorted(), expected.toSorted(), nameOf(command));
  assert.ok(shown.length > 0 && shown.every((element) => everything.includes(element)), nameOf(command));
  if (sameType.length === everything.length) assert.equal(all.stdout.length, recorded.length, nameOf(command));
  if (everything.length === 1) assert.equal(ran.stdout, recorded, nameOf(command));
}

/**
 * Compares what is printed a line each: cosign prints referrers in no order, and those of one format.
 *
 * @param shapeOf where bulla wrote what is printed: a line of either without what is another each time
 */
export function compareLines(
  command: RecordedCommand,
  ran: Ran,
  shapeOf: (line: string) => string = (line) => line,
): void {
  const lines = (text: string): readonly string[] => text.trimEnd().split('\n').map(shapeOf).toSorted();
  assert.deepEqual(lines(ran.stdout), lines(command.outcome?.stdout ?? ''), nameOf(command));
}

/** The elements of a JSON array, or the lines of `-o text`, each as it was written. */
function elements(text: string): readonly string[] {
  if (!text.startsWith('\n[')) return text.split('\n').filter((line) => line !== '');
  return (JSON.parse(text) as readonly unknown[]).map((element) => JSON.stringify(element));
}

function typeOf(element: string): string {
  return (JSON.parse(element) as { readonly critical: { readonly type: string } }).critical.type;
}

/** Compares a tree. cosign draws referrers in no order, and names itself where it found nothing. */
export function compareTree(command: RecordedCommand, ran: Ran, anyDigest: boolean): void {
  const branches = (text: string): readonly string[] => {
    const named = text.trimEnd().replace('running$ cosign sign', 'running$ bulla sign');
    const plain = anyDigest ? named.replaceAll(/@sha256:[0-9a-f]{64}$|🍒 sha256:[0-9a-f]{64}/gm, '@…') : named;
    return plain
      .split(/^(?=└)/m)
      .map((branch) => branch.trimEnd())
      .toSorted();
  };
  assert.deepEqual(branches(ran.stdout), branches(command.outcome?.stdout ?? ''), nameOf(command));
}
