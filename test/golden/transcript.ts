// SPDX-License-Identifier: Apache-2.0
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the recorded runs of the real cosign lie. */
export const GOLDEN: string = import.meta.dirname;

/** One command of a recorded run, with what it did. */
export interface RecordedCommand {
  readonly case: string;
  /** its place in the transcript, from 1 */
  readonly at: number;
  /** as it was recorded, on one line */
  readonly line: string;
  readonly env: Readonly<Record<string, string>>;
  /** `cosign-2.5.0`, `cosign-3.1.1`, or another tool */
  readonly program: string;
  readonly args: readonly string[];
  readonly stdin?: string;
  /** what it printed and ended with; absent where the transcript only notes that it was run */
  readonly outcome?: RecordedOutcome;
}

/** What a recorded command printed and ended with. */
export interface RecordedOutcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: number;
}

/** All recorded cases, by name. */
export function recordedCases(): readonly string[] {
  return readdirSync(GOLDEN).filter((name) => existsSync(join(GOLDEN, name, 'transcript.txt')));
}

/** The commands of a case in the order in which they were run. */
export function readTranscript(name: string): readonly RecordedCommand[] {
  return parseTranscript(name, readFileSync(join(GOLDEN, name, 'transcript.txt'), 'utf8'));
}

/**
 * Reads a transcript: `$ command`, `--- stdout`, `--- stderr`, `--- exit N`; everything between two commands that is none of it is a
 * remark. A command goes on over line breaks inside quotes.
 */
export function parseTranscript(name: string, text: string): readonly RecordedCommand[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map((block, index) => parseBlock(name, index + 1, block));
}

function parseBlock(name: string, at: number, block: string): RecordedCommand {
  const recorded = /^([^]*?)\n--- stdout\n([^]*?)--- stderr\n([^]*?)^--- exit (\d+)$/m.exec(block);
  const [, typed = (block.split('\n', 1)[0] ?? '').trimEnd(), stdout = '', stderr = '', exit] = recorded ?? [];
  const [line = '', stdin] = typed.split(/ {3}# stdin: b?/);
  const words = shellWords(line);
  const first = words.findIndex((word) => !/^[A-Z_][A-Z0-9_]*=/.test(word));
  return {
    case: name,
    at,
    line: line.replaceAll(/\s+/g, ' '),
    env: Object.fromEntries(words.slice(0, first).map((word) => cut(word, word.indexOf('=')))),
    program: words[first] ?? '',
    args: words.slice(first + 1),
    ...(stdin === undefined ? {} : { stdin: stdin.slice(1, -1).replaceAll(String.raw`\n`, '\n') }),
    ...(exit === undefined ? {} : { outcome: { stdout: unterminated(stdout), stderr, exit: Number(exit) } }),
  };
}

// The recorder closes each stream with a line break, and says where it had to add one.
function unterminated(stdout: string): string {
  return stdout.replace(/\n<no trailing newline>\n$/, '');
}

function cut(text: string, at: number): [string, string] {
  return [text.slice(0, at), text.slice(at + 1)];
}

/** The words of a command line: single quotes hold a word together. */
function shellWords(line: string): readonly string[] {
  const words = [...line.matchAll(/(?:'[^']*'|[^\s'])+/g)];
  return words.map(([word]) => word.replaceAll("'", ''));
}
