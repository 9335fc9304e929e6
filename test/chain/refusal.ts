// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

/** What a command line did, in this process or in one of its own. */
export interface CommandRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a command line is to fail. */
export interface Refusal {
  readonly code: number;
  /** what its one line says */
  readonly says: RegExp;
}

/** What may stand beside the one line: warnings, what to do, which seals were read, what was under way. */
const BESIDE = /^(?:WARNING: |hint: | {2}- | {2}looked in: |Pushing signature to: )/;

/** Holds that a command line failed as documented: its code, nothing on stdout, one line that names the thing, nothing of our insides. */
export function assertRefused(run: CommandRun, { code, says }: Refusal): void {
  const shown = `exit code ${run.code}\n${run.stderr}`;
  assert.equal(run.code, code, shown);
  assert.equal(run.stdout, '', shown);
  const lines = run.stderr.split('\n').filter((line) => line !== '');
  const errors = lines.filter((line) => line.startsWith('Error: '));
  assert.equal(errors.length, 1, shown);
  assert.match(errors[0] ?? '', says);
  assert.deepEqual(
    lines.filter((line) => !line.startsWith('Error: ') && !BESIDE.test(line)),
    [],
  );
  assertTidy(run.stderr);
  if (code !== 10) assert.doesNotMatch(run.stderr, /no signatures found|nobody sealed/);
}

/** Nothing that a person should not have to see, nothing that a terminal would obey. */
export function assertTidy(text: string): void {
  assert.doesNotMatch(
    text,
    /\n {4}at |TypeError|RangeError|\[object |\bundefined\b|\bNaN\b|node:internal|internal error/,
  );
  // C0 without the line feed, C1, and what turns the reading direction
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
}

/** The members of the JSON documents that these tests look at. */
export interface FailureDocument {
  readonly exitCode?: number;
  readonly error?: { readonly code: string; readonly message: string };
  readonly images?: readonly {
    readonly image: string;
    readonly outcome?: string;
    readonly exitCode?: number;
    readonly reason?: string;
    readonly digest?: string | null;
    readonly cause?: { readonly code: string; readonly message: string };
    readonly error?: { readonly code: string; readonly message: string };
    readonly places?: readonly { readonly name: string; readonly outcome: string; readonly read?: number }[];
    readonly seals?: readonly unknown[];
    readonly rejected?: readonly { readonly code: string; readonly found: string }[];
  }[];
}

/** Holds that a command line with `--json` failed as documented, in one document. @returns the document */
export function assertRefusedJson(run: CommandRun, { code, says }: Refusal): FailureDocument {
  const shown = `exit code ${run.code}\n${run.stdout}${run.stderr}`;
  assert.equal(run.code, code, shown);
  const document = JSON.parse(run.stdout) as FailureDocument;
  if (document.error !== undefined) {
    assert.match(document.error.code, /^[a-z][a-z0-9-]+$/, shown);
    assert.notEqual(document.error.code, 'internal', shown);
    assert.match(`Error: ${document.error.message}`, says);
  } else {
    assert.equal(document.exitCode, code, shown);
    const [image] = document.images ?? [];
    assert.equal(image?.exitCode ?? code, code, shown);
    // an answer about an image is no failure of the command: nobody is told twice
    assert.doesNotMatch(run.stderr, /^Error: /m, shown);
  }
  assertTidy(run.stderr);
  return document;
}

/** The codes of the seals of the first image that were not accepted. */
export function rejections(document: FailureDocument): readonly string[] {
  return (document.images?.[0]?.rejected ?? []).map(({ code }) => code);
}
