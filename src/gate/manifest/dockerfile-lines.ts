// SPDX-License-Identifier: Apache-2.0

/** A word of an instruction. */
export interface DockerWord {
  readonly text: string;
  /** for each character of the text, where it stands in the file */
  readonly offsets: readonly number[];
}

/** An instruction with its words; the first is its name. */
export interface DockerInstruction {
  /** upper case */
  readonly name: string;
  readonly words: readonly DockerWord[];
  readonly start: number;
}

/** What a Dockerfile consists of, as far as it matters for images. */
export interface DockerLines {
  /** what makes a character lose its meaning: `\`, or what the directive `escape` says */
  readonly escape: string;
  /** the image of the frontend that builds it, if the directive `syntax` names one */
  readonly syntax?: DockerWord;
  readonly instructions: readonly DockerInstruction[];
  /** where a line stands that is no instruction */
  readonly strange?: number;
}

interface Line {
  readonly text: string;
  readonly start: number;
}

const DIRECTIVE = /^[ \t]*#[ \t]*([a-zA-Z][a-zA-Z0-9]*)[ \t]*=[ \t]*(.*?)[ \t]*$/;
const HERE_DOCUMENT = /<<-?["']?([A-Za-z_][A-Za-z0-9_.]*)["']?/g;
/** their words may be followed by lines that are not part of the Dockerfile's own syntax */
const WITH_HERE_DOCUMENTS: ReadonlySet<string> = new Set(['RUN', 'COPY', 'ADD']);

/**
 * Splits a Dockerfile into instructions: continued lines are joined, comments and here-documents left out. Words are split at white space;
 * a quote makes no difference, as it makes none where images stand.
 *
 * @see https://docs.docker.com/reference/dockerfile/#format
 */
export function splitDockerfile(text: string): DockerLines {
  const lines = linesOf(text);
  const { escape, syntax, rest } = directivesOf(lines);
  const instructions: DockerInstruction[] = [];
  let strange: number | undefined;
  for (let at = rest; at < lines.length;) {
    const joined = joinLines(lines, at, escape);
    at = joined.next;
    const words = wordsOf(joined.characters, joined.offsets);
    const [first] = words;
    if (first === undefined) continue;
    const name = first.text.toUpperCase();
    if (/^[A-Z]+$/.test(name)) instructions.push({ name, words, start: first.offsets[0] ?? 0 });
    else strange ??= first.offsets[0] ?? 0;
    if (WITH_HERE_DOCUMENTS.has(name) || name === 'ONBUILD') at = afterHereDocuments(lines, at, joined.characters);
  }
  return {
    escape,
    instructions,
    ...(syntax === undefined ? {} : { syntax }),
    ...(strange === undefined ? {} : { strange }),
  };
}

function linesOf(text: string): readonly Line[] {
  const lines: Line[] = [];
  for (let start = text.startsWith('\uFEFF') ? 1 : 0; start <= text.length;) {
    const end = text.indexOf('\n', start);
    const stop = end === -1 ? text.length : end;
    lines.push({ text: text.slice(start, text[stop - 1] === '\r' && stop > start ? stop - 1 : stop), start });
    start = stop + 1;
  }
  return lines;
}

// Directives stand at the top, before anything else: another comment ends them.
function directivesOf(lines: readonly Line[]): { escape: string; syntax?: DockerWord; rest: number } {
  let escape = '\\';
  let syntax: DockerWord | undefined;
  let rest = 0;
  for (const line of lines) {
    const found = DIRECTIVE.exec(line.text);
    if (found === null) break;
    rest++;
    const [, name = '', value = ''] = found;
    if (name.toLowerCase() === 'escape' && (value === '`' || value === '\\')) escape = value;
    if (name.toLowerCase() === 'syntax' && value !== '') {
      const at = line.start + line.text.lastIndexOf(value);
      syntax ??= { text: value, offsets: Array.from(value, (_, index) => at + index) };
    }
  }
  return { escape, rest, ...(syntax === undefined ? {} : { syntax }) };
}

/** Joins a line with those that it is continued in, character by character with their offsets. */
function joinLines(
  lines: readonly Line[],
  from: number,
  escape: string,
): { readonly characters: string; readonly offsets: readonly number[]; readonly next: number } {
  const characters: string[] = [];
  const offsets: number[] = [];
  let next = from;
  for (let continued = true; continued && next < lines.length; next++) {
    const { text, start } = lines[next] ?? { text: '', start: 0 };
    // comments and empty lines between continued ones are passed over
    if (/^[ \t]*(?:#|$)/.test(text)) {
      continued = next > from;
      continue;
    }
    const trimmed = text.replace(/[ \t]+$/, '');
    continued = trimmed.endsWith(escape);
    const length = continued ? trimmed.length - 1 : text.length;
    for (let at = 0; at < length; at++) {
      characters.push(text[at] ?? '');
      offsets.push(start + at);
    }
  }
  return { characters: characters.join(''), offsets, next };
}

function wordsOf(characters: string, offsets: readonly number[]): readonly DockerWord[] {
  return [...characters.matchAll(/[^ \t]+/g)].map(({ 0: text, index }) => ({
    text,
    offsets: offsets.slice(index, index + text.length),
  }));
}

function afterHereDocuments(lines: readonly Line[], from: number, instruction: string): number {
  let at = from;
  for (const [opening, name] of instruction.matchAll(HERE_DOCUMENT)) {
    const indented = opening.startsWith('<<-');
    let end = at;
    while (end < lines.length) {
      const text = lines[end]?.text ?? '';
      if ((indented ? text.replace(/^\t+/, '') : text) === name) break;
      end++;
    }
    // without an end it is no here-document, but a shift or a text: what follows are instructions
    if (end < lines.length) at = end + 1;
  }
  return at;
}
