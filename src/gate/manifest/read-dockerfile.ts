// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { splitDockerfile, type DockerInstruction, type DockerWord } from './dockerfile-lines.ts';
import { expandVariables, onlyVariable, type Variables } from './expand-variables.ts';
import type { FileFindings } from './findings.ts';
import type { TextSpan } from './found-image.ts';

/** An `ARG` before the first `FROM`, with the place of its default. */
interface Argument {
  readonly value: string;
  /** absent where the value is not the text as it stands there */
  readonly span?: TextSpan;
}

/**
 * Finds the images that a Dockerfile builds from: `FROM` with the defaults of `ARG`, `COPY --from`, `RUN --mount=…,from=…`, each also behind
 * `ONBUILD`, and the frontend of `# syntax`. Stages of the file itself and `scratch` are none.
 *
 * @see https://docs.docker.com/reference/dockerfile/
 */
export function readDockerfile(into: FileFindings): void {
  const { escape, syntax, instructions, strange } = splitDockerfile(into.source.text);
  if (syntax !== undefined) into.image(syntax.text, spanOf(syntax), ['syntax']);
  if (strange !== undefined) into.error('manifest-malformed', strange, [], 'not an instruction of a Dockerfile');
  const reader = new DockerfileReader(into, escape);
  for (const instruction of instructions) reader.read(instruction);
  if (reader.stages === 0) into.error('manifest-malformed', 0, [], 'no FROM, expected a Dockerfile');
}

class DockerfileReader {
  stages = 0;
  readonly #into: FileFindings;
  readonly #escape: string;
  readonly #arguments: Map<string, Argument> = new Map();
  readonly #named: Set<string> = new Set();

  constructor(into: FileFindings, escape: string) {
    this.#into = into;
    this.#escape = escape;
  }

  read({ name, words, start }: DockerInstruction): void {
    const rest = words.slice(1);
    if (name === 'ONBUILD') {
      const [inner] = rest;
      if (inner !== undefined) this.read({ name: inner.text.toUpperCase(), words: rest, start });
    } else if (name === 'FROM') this.#from(rest, start);
    else if (name === 'ARG' && this.stages === 0) for (const word of rest) this.#argument(word);
    else if (name === 'COPY' || name === 'ADD') this.#copy(rest);
    else if (name === 'RUN') this.#run(rest);
  }

  #argument(word: DockerWord): void {
    const at = word.text.indexOf('=');
    const name = at === -1 ? word.text : word.text.slice(0, at);
    const given = this.#into.variables.get(name);
    if (given !== undefined) this.#arguments.set(name, { value: given });
    else if (at !== -1) {
      const value = unquoted({ text: word.text.slice(at + 1), offsets: word.offsets.slice(at + 1) });
      const expansion = expandVariables(value.text, this.#values(), this.#escape);
      if (expansion.kind !== 'text') return;
      const isVerbatim = expansion.text === value.text && isTogether(value);
      this.#arguments.set(name, { value: expansion.text, ...(isVerbatim ? { span: spanOf(value) } : {}) });
    }
  }

  #values(): Variables {
    return new Map([...this.#arguments].map(([name, { value }]) => [name, value]));
  }

  #from(words: readonly DockerWord[], start: number): void {
    const [image, as, name] = words.filter(({ text }) => !text.startsWith('--'));
    this.stages++;
    if (image === undefined) {
      this.#into.error('image-malformed', start, ['FROM'], 'no image, expected FROM IMAGE');
      return;
    }
    this.#base(unquoted(image));
    if (as?.text.toUpperCase() === 'AS' && name !== undefined) this.#named.add(name.text.toLowerCase());
  }

  #base(word: DockerWord): void {
    const values = this.#values();
    const expansion = expandVariables(word.text, values, this.#escape);
    if (expansion.kind === 'text' && this.#isStage(expansion.text)) return;
    const variable = onlyVariable(word.text);
    const argument = variable === undefined ? undefined : this.#arguments.get(variable);
    // the image stands where the default does
    if (argument?.span !== undefined && argument.value !== '')
      this.#into.image(argument.value, argument.span, [`ARG ${variable}`]);
    else this.#into.expanded(word.text, spanOf(word), ['FROM'], values, this.#escape);
  }

  #isStage(image: string): boolean {
    return image === 'scratch' || this.#named.has(image.toLowerCase());
  }

  #copy(words: readonly DockerWord[]): void {
    for (const word of words) {
      if (!word.text.startsWith('--')) return;
      if (word.text.startsWith('--from=')) this.#other(after(word, '--from='.length), 'COPY --from');
    }
  }

  #run(words: readonly DockerWord[]): void {
    for (const word of words) {
      if (!word.text.startsWith('--')) return;
      if (!word.text.startsWith('--mount=')) continue;
      for (const found of word.text.matchAll(/(?<==|,)"?from=([^,"]*)/g)) {
        const [whole, name = ''] = found;
        const at = found.index + whole.length - name.length;
        const part = { text: name, offsets: word.offsets.slice(at, at + name.length) };
        this.#other(part, 'RUN --mount');
      }
    }
  }

  /** A stage by its name or number, or an image; variables are not replaced there. */
  #other(word: DockerWord, field: string): void {
    const { text } = unquoted(word);
    const isNumber = /^\d+$/.test(text) && Number(text) < this.stages;
    if (text === '' || isNumber || this.#isStage(text)) return;
    if (text.includes('$')) {
      const message = `'${printable(text)}': variables have no value there`;
      this.#into.error('variable-unset', spanOf(word).start, [field], message);
    } else this.#into.image(text, spanOf(unquoted(word)), [field]);
  }
}

function after({ text, offsets }: DockerWord, length: number): DockerWord {
  return { text: text.slice(length), offsets: offsets.slice(length) };
}

function unquoted(word: DockerWord): DockerWord {
  const { text, offsets } = word;
  const quote = text[0];
  if (text.length < 2 || (quote !== '"' && quote !== "'") || text.at(-1) !== quote) return word;
  return { text: text.slice(1, -1), offsets: offsets.slice(1, -1) };
}

function spanOf({ offsets }: DockerWord): TextSpan {
  const start = offsets[0] ?? 0;
  return { start, end: (offsets.at(-1) ?? start - 1) + 1 };
}

/** Whether a word stands in one piece, and not in two lines. */
function isTogether(word: DockerWord): boolean {
  const { start, end } = spanOf(word);
  return end - start === word.text.length;
}
