// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import { writeStderr } from './write-all.ts';

// Plain questions, as `expect` scripts and terminals without a size (`docker exec -t`) can take them.

const MAX_ANSWER_BYTES = 4096;
const BACKSPACE: ReadonlySet<string> = new Set(['\u007f', '\b']);
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_U = '\u0015';
// what arrow and function keys send; ECMA-48 section 5.4
const CONTROL_SEQUENCE = /^\u001b(?:\[[0-?]*[ -/]*[@-~]|O?.)?/s;

/**
 * Asks on stderr and reads a line from the terminal without showing it.
 *
 * @throws CliError `interrupted` on Ctrl-C, `declined` at the end of the input
 */
export async function askHidden(question: string): Promise<string> {
  const { stdin } = process;
  writeStderr(`${question} `);
  stdin.setRawMode(true);
  try {
    const editor = new HiddenLine();
    await readUntil((text) => editor.type(text));
    return editor.answer();
  } finally {
    stdin.setRawMode(false);
    writeStderr('\n');
  }
}

/**
 * Asks on stderr and reads a line from standard input, whether that is a terminal or a pipe: `y` or `yes` is yes, all else no.
 *
 * @throws CliError `interrupted` on Ctrl-C where the terminal does not make a signal of it
 */
export async function askYesNo(question: string): Promise<boolean> {
  writeStderr(`${question} [y/N] `);
  let line = '';
  await readUntil((text) => {
    line += text;
    // a return that was typed ahead while a hidden line was read arrives as such
    const end = line.search(/[\r\n]/);
    if (end === -1) return line.length > MAX_ANSWER_BYTES ? '' : undefined;
    const rest = line.slice(end + 1);
    line = line.slice(0, end);
    return rest;
  });
  if (!process.stdin.isTTY) writeStderr('\n');
  return /^y(?:es)?$/i.test(line.trim());
}

/** A line being typed in the dark, with the keys that people expect to work. */
export class HiddenLine {
  #characters: string[] = [];
  #end: 'open' | 'answered' | CliError = 'open';

  /** @returns what follows the line, once it ended */
  type(text: string): string | undefined {
    for (let at = 0; at < text.length;) {
      const character = String.fromCodePoint(text.codePointAt(at) as number);
      const length =
        character === '\u001b' ? (CONTROL_SEQUENCE.exec(text.slice(at))?.[0].length ?? 1) : character.length;
      at += length;
      this.#key(character);
      if (this.#end !== 'open') return text.slice(at);
    }
    return undefined;
  }

  answer(): string {
    if (this.#end instanceof CliError) throw this.#end;
    if (this.#end === 'open') throw new CliError('declined', 'the input ended before the question was answered');
    return this.#characters.join('');
  }

  #key(character: string): void {
    if (character === '\r' || character === '\n') this.#end = 'answered';
    else if (character === CTRL_C) this.#end = new CliError('interrupted', 'interrupted');
    else if (character === CTRL_D && this.#characters.length === 0) {
      this.#end = new CliError('declined', 'user declined the prompt');
    } else if (BACKSPACE.has(character)) this.#characters.pop();
    else if (character === CTRL_U) this.#characters = [];
    else if (character >= ' ' && this.#characters.length < MAX_ANSWER_BYTES) this.#characters.push(character);
  }
}

/** Reads text until `take` answers with what is left for the next question, or the input ends. */
async function readUntil(take: (text: string) => string | undefined): Promise<void> {
  const { stdin } = process;
  stdin.setEncoding('utf8');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const read = (text: string): void => {
    const rest = take(text);
    if (rest === undefined) return;
    stdin.pause();
    if (rest !== '') stdin.unshift(rest, 'utf8');
    resolve();
  };
  stdin.on('data', read).once('end', resolve).once('error', reject);
  try {
    stdin.resume();
    await promise;
  } finally {
    stdin.off('data', read).off('end', resolve).off('error', reject);
    stdin.pause();
  }
}
