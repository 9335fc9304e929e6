// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import type { CheckReport } from '../../gate/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { replaceFiles } from '../file/replace-files.ts';
import { checkDocument } from '../output/check-json.ts';
import { checkText } from '../output/check-text.ts';
import { BULLA_VERSION } from '../version.ts';
import type { LaidSummary } from './check-summary.ts';

const FORMATS = ['table', 'json', 'sarif', 'junit', 'github', 'gitlab', 'markdown'] as const;

type Format = (typeof FORMATS)[number];

/** In which forms a check is reported, and where. */
export const CHECK_OUTPUT_FLAG = {
  output: {
    kind: 'strings',
    split: false,
    placeholder: 'FORMAT[=FILE]',
    help: 'table (default), json, sarif, junit, github (annotations), gitlab (code quality) or markdown, to standard output or into a file; may be given several times',
  },
} as const;

/** One form of a report. */
export interface CheckOutput {
  readonly format: Format;
  /** absent for standard output */
  readonly file?: string;
}

/**
 * The forms that were asked for: where none is for standard output, the table is.
 *
 * @throws CliError `usage` for no such form, two for one place, and several with `--json`
 */
export function checkOutputs(
  context: Pick<CommandContext, 'json' | 'cwd'>,
  { output }: FlagValues<typeof CHECK_OUTPUT_FLAG>,
): readonly CheckOutput[] {
  const outputs = output.map((text) => outputOf(text));
  const toStdout = outputs.filter(({ file }) => file === undefined);
  if (toStdout.length + (context.json ? 1 : 0) > 1)
    throw new CliError('usage', 'more than one form for standard output', {
      hint: '--output FORMAT=FILE writes a file',
    });
  const files = outputs.flatMap(({ file }) => (file === undefined ? [] : [resolve(context.cwd, file)]));
  if (new Set(files).size < files.length) throw new CliError('usage', '--output names one file twice');
  if (toStdout.length > 0) return outputs;
  return [{ format: context.json ? 'json' : 'table' }, ...outputs];
}

function outputOf(text: string): CheckOutput {
  const at = text.indexOf('=');
  const name = at === -1 ? text : text.slice(0, at);
  const format = FORMATS.find((known) => known === name);
  if (format === undefined || at === text.length - 1)
    throw new CliError(
      'usage',
      `--output is '${text.slice(0, 80)}', expected one of ${FORMATS.join(', ')}, or FORMAT=FILE`,
    );
  return at === -1 ? { format } : { format, file: text.slice(at + 1) };
}

/** How a check ends. */
export interface CheckEnding {
  readonly exitCode: number;
  /** that were laid beside images */
  readonly summaries: readonly LaidSummary[];
}

/** Writes a report in all forms: files first, all of them or none. The table is shown even where they cannot be written. @throws CliError `file-unwritable` */
export async function writeCheck(
  context: CommandContext,
  outputs: readonly CheckOutput[],
  report: CheckReport,
  ending: CheckEnding,
): Promise<void> {
  const texts: (CheckOutput & { readonly text: string })[] = [];
  for (const output of outputs) texts.push({ ...output, text: await encode(context, output.format, report, ending) });
  const files = texts.flatMap(({ file, text }) =>
    file === undefined ? [] : [{ path: resolve(context.cwd, file), bytes: Buffer.from(text), mode: 0o644 }],
  );
  const show = (only?: Format): void => {
    for (const { file, format, text } of texts)
      if (file === undefined && (only ?? format) === format) context.stdout(text);
  };
  try {
    if (files.length > 0) replaceFiles(files);
  } catch (error) {
    // what was decided took its time; a program would read an exit code there that this does not end with
    show('table');
    throw error;
  }
  show();
}

async function encode(
  context: CommandContext,
  format: Format,
  report: CheckReport,
  { exitCode, summaries }: CheckEnding,
): Promise<string> {
  const gate = await import('../../gate/index.ts');
  switch (format) {
    case 'table':
      return checkText(context, report);
    case 'json':
      return `${JSON.stringify({ ...checkDocument(report, exitCode), summaries, warnings: context.warnings }, null, 2)}\n`;
    case 'sarif':
      return gate.encodeSarif(report, { version: BULLA_VERSION, exitCode });
    case 'junit':
      return gate.encodeJunit(report);
    case 'github':
      return gate.encodeGithubAnnotations(report);
    case 'gitlab':
      return gate.encodeGitlabCodeQuality(report);
    case 'markdown':
      return gate.encodeMarkdown(report);
  }
}
