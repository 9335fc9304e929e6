// SPDX-License-Identifier: Apache-2.0
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { FoundImages, ManifestFault, ManifestFile } from '../../gate/index.ts';
import { parseLocation } from '../../oci/index.ts';
import { CodedError } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { systemCode } from '../file/file-trouble.ts';
import { readFile } from '../file/read-file.ts';
import { printable } from '../output/printable.ts';

/** Where images are looked for. */
export const MANIFEST_FLAGS = {
  file: {
    kind: 'strings',
    split: false,
    short: 'f',
    placeholder: 'PATH',
    help: 'manifests, output of Helm or kustomize, kustomization, Helm values, compose file, Dockerfile, a folder of these, or - for standard input; may be given several times',
  },
  variable: {
    kind: 'strings',
    split: false,
    placeholder: 'NAME=VALUE',
    help: 'value of a variable in compose files, and of a build argument in Dockerfiles; may be given several times',
  },
} as const;

/** The name of standard input in messages and reports. */
const STDIN = 'stdin';

/** Files, and what of them could not be read. */
export interface ReadManifests {
  readonly files: readonly ManifestFile[];
  readonly faults: readonly ManifestFault[];
}

/**
 * Reads the files and folders that a command line names.
 *
 * @throws CliError as `readFile`, `input-too-large`, and `usage` for a name that is empty
 */
async function readManifests(context: CommandContext, paths: readonly string[]): Promise<ReadManifests> {
  const { MANIFEST_LIMITS, readManifestFolder } = await import('../../gate/index.ts');
  const { maxBytes, maxFiles } = MANIFEST_LIMITS;
  if (paths.length > maxFiles) throw new CliError('usage', `${paths.length} paths, at most ${maxFiles} are read`);
  const files: ManifestFile[] = [];
  const faults: ManifestFault[] = [];
  for (const path of paths) {
    // the folder that one happens to be in is nobody's answer to a variable without a value
    if (path === '') throw new CliError('usage', '--file is empty, expected a file or a folder');
    if (path === '-') files.push({ name: STDIN, bytes: await context.readStdin(maxBytes) });
    else if (isFolder(resolve(context.cwd, path))) {
      const folder = await readManifestFolder(resolve(context.cwd, path), path);
      for (const file of folder.files) files.push(file);
      faults.push(...folder.faults);
    } else files.push({ name: path, bytes: await readFile(path, { cwd: context.cwd, what: 'manifest', maxBytes }) });
  }
  return { files, faults };
}

/** All images of the files and folders that flags name. @throws as `readManifests`; CliError `usage` */
export async function findManifestImages(
  context: CommandContext,
  { file, variable }: FlagValues<typeof MANIFEST_FLAGS>,
): Promise<FoundImages> {
  const { findImages } = await import('../../gate/index.ts');
  const variables = new Map(variable.map(variableOf));
  const { files, faults } = await readManifests(context, file);
  const found = await findImages(files, { variables });
  return { ...found, faults: [...faults, ...found.faults] };
}

function variableOf(pair: string): readonly [string, string] {
  const at = pair.indexOf('=');
  if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
  throw new CliError('usage', `--variable is '${pair.slice(0, 80)}', expected NAME=VALUE`);
}

/** What cannot be looked at is read as a file, which says what is wrong with it. */
function isFolder(path: string): boolean {
  return kindOfFile(path) === 'folder';
}

/** Images that a command line names, which must be in a registry: policies go by names. @throws CliError `usage` */
export function checkNames(images: readonly string[]): void {
  for (const image of images) {
    if (image === '') throw new CliError('usage', 'the name of an image is empty');
    if (!isInRegistry(image))
      throw new CliError('usage', `${image.slice(0, 200)} has no name that policies know`, {
        hint: 'bulla policy explain --as NAME decides on an image in a layout',
      });
  }
}

/** A file or folder that is named like an image was meant to be looked into, most likely: what is decided on is the image. */
export function warnOfFiles(context: Pick<CommandContext, 'cwd' | 'warn'>, images: readonly string[]): void {
  for (const image of images) {
    const kind = kindOfFile(resolve(context.cwd, image));
    if (kind !== undefined)
      context.warn(`${printable(image)} is taken for an image, and there is a ${kind} of that name: -f looks into it`);
  }
}

function kindOfFile(path: string): 'file' | 'folder' | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    return found.isDirectory() ? 'folder' : 'file';
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined; // longer than a name can be, or behind what may not be looked at
  }
}

function isInRegistry(image: string): boolean {
  try {
    return parseLocation(image).kind === 'registry';
  } catch (error) {
    if (error instanceof CodedError) return true; // what is no image at all is refused as such
    throw error;
  }
}

/** Standard input holds one thing. @throws CliError `usage` */
export function checkStdin(paths: readonly string[]): void {
  if (paths.filter((path) => path === '-').length > 1)
    throw new CliError('usage', 'standard input (-) can be read once, and is named twice');
}
