// SPDX-License-Identifier: Apache-2.0

// A page of the manual whose console blocks are carried out. In a block a line that begins with `$ ` is a command, `> ` goes on with it, and
// what follows is what it writes. A block with `file=NAME` is a file that the page has its reader write.

/** What a page needs to be there before its first command: a registry, or the whole stack, at `localhost:5080`. */
export type SceneName = 'none' | 'registry' | 'stack';

/** One command of a page. */
export interface Step {
  readonly kind: 'command';
  readonly command: string;
  /** what it writes, as the page says */
  readonly output: readonly string[];
  /** the line of the page on which it stands, from 1 */
  readonly line: number;
  /** the real clients that it needs; where one is not here it is left out */
  readonly needs: readonly string[];
}

/** One file that a reader of the page writes. */
export interface PageFile {
  readonly kind: 'file';
  readonly name: string;
  readonly content: string;
  readonly line: number;
}

/** A page, as it is carried out. */
export interface Page {
  readonly scene: SceneName;
  /** in the order of the page */
  readonly parts: readonly (Step | PageFile)[];
}

const FENCE = /^(```+)(\S*)\s*(.*)$/;

/**
 * Reads a page.
 *
 * @throws Error for a scene that there is not, a block without an end, and output before the first command
 */
export function parsePage(text: string): Page {
  const [, scene = 'none'] = /^<!-- scene: (\S+) -->$/m.exec(text) ?? [];
  if (scene !== 'none' && scene !== 'registry' && scene !== 'stack') throw new Error(`there is no scene '${scene}'`);
  const parts: (Step | PageFile)[] = [];
  for (const { language, words, lines, line } of blocksOf(text)) {
    const name = words.find((word) => word.startsWith('file='))?.slice(5);
    if (name !== undefined) parts.push({ kind: 'file', name, content: `${lines.join('\n')}\n`, line });
    else if (language === 'console') parts.push(...stepsOf(lines, line, needsOf(words)));
  }
  return { scene, parts };
}

interface Block {
  readonly language: string;
  readonly words: readonly string[];
  readonly lines: readonly string[];
  /** of the fence */
  readonly line: number;
}

function blocksOf(text: string): readonly Block[] {
  const blocks: Block[] = [];
  let open: { fence: string; language: string; words: string[]; lines: string[]; line: number } | undefined;
  for (const [at, line] of text.split('\n').entries()) {
    if (open !== undefined) {
      if (line.trim() === open.fence) {
        blocks.push(open);
        open = undefined;
      } else open.lines.push(line);
      continue;
    }
    const [, fence, language = '', words = ''] = FENCE.exec(line) ?? [];
    if (fence !== undefined) open = { fence, language, words: words.split(' '), lines: [], line: at + 1 };
  }
  if (open !== undefined) throw new Error(`the block on line ${open.line} has no end`);
  return blocks;
}

function needsOf(words: readonly string[]): readonly string[] {
  return (
    words
      .find((word) => word.startsWith('needs='))
      ?.slice(6)
      .split(',') ?? []
  );
}

function stepsOf(lines: readonly string[], first: number, needs: readonly string[]): readonly Step[] {
  const steps: (Step & { command: string; output: string[] })[] = [];
  for (const [at, line] of lines.entries()) {
    const step = steps.at(-1);
    if (line.startsWith('$ ')) {
      steps.push({ kind: 'command', command: line.slice(2), output: [], line: first + at + 1, needs });
    } else if (step === undefined) {
      throw new Error(`line ${first + at + 1}: what a command writes stands before any command`);
    } else if (step.output.length === 0 && (line.startsWith('> ') || line === '>')) {
      step.command += `\n${line.slice(2)}`;
    } else step.output.push(line);
  }
  return steps;
}

/** The page with other outputs. @param outputs by the line of the command */
export function rewritePage(text: string, outputs: ReadonlyMap<number, readonly string[]>): string {
  const lines = text.split('\n');
  const { parts } = parsePage(text);
  for (const part of parts.toReversed()) {
    const output = outputs.get(part.line);
    if (part.kind !== 'command' || output === undefined) continue;
    const begin = part.line - 1 + part.command.split('\n').length;
    lines.splice(begin, part.output.length, ...output);
  }
  return lines.join('\n');
}
