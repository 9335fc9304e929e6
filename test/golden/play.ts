// SPDX-License-Identifier: Apache-2.0
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findClient, opaVariable } from '../interop/clients.ts';
import { runInProcess, type Ran } from './in-process.ts';
import { Layout } from './layout.ts';
import { GOLDEN, type RecordedCommand } from './transcript.ts';

/** Where recorded commands are played again. */
export interface Stage {
  /** `localhost:PORT` of the registry */
  readonly host: string;
  /** stands before each repository, for example `s12/`, so that moments do not mix */
  readonly prefix: string;
}

const OPA = findClient('opa');

/** Whether a command can be played on this machine: policies in Rego need OPA, which `npm run build:rego` makes. CI must have it. */
export function canPlay({ args }: RecordedCommand): boolean {
  return OPA !== undefined || process.env['BULLA_INTEROP'] === 'required' || !args.some((arg) => arg.endsWith('.rego'));
}

/** The password of every recorded key. */
const PASSWORD = 'pw';

/** When a case was recorded, where that decides: a seal that no log and no clock has seen is good for as long as its certificate lives. */
const RECORDED_AT: Readonly<Record<string, Date>> = {
  'keyless-3.1.1-none': new Date('2026-11-22T07:04:00Z'),
};

/** Which registries the recorder used: without and with the referrers API. */
const RECORDED_HOST = /\blocalhost:(?:5551|5563)\//g;

/**
 * The bulla command that does what a recorded cosign command did. The flags are cosign's; only cosign 2 has to be told apart, which
 * seals in the legacy format where bulla would make a bundle.
 */
function equivalent(command: RecordedCommand, stage: Stage): readonly string[] {
  const [verb = '', ...rest] = PLAYED_AS[`${command.case} #${command.at}`] ?? command.args;
  // what cosign saved stays, to be read
  if (verb === 'save') rest[rest.indexOf('--dir') + 1] = savedBy(command);
  return [verb, ...legacyFormat(command), ...rest].map((word) => onStage(word, stage));
}

/** The folder into which `bulla save` saves, beside the recorded one. */
export function savedBy({ args }: RecordedCommand): string {
  return `bulla-${args[args.indexOf('--dir') + 1] ?? ''}`;
}

/** How cosign 2 is told to write what it wrote. */
function legacyFormat({ program, args }: RecordedCommand): readonly string[] {
  if (program !== 'cosign-2.5.0') return [];
  if (args[0] === 'sign' || args[0] === 'attest') return ['--format', 'legacy'];
  const blob = args[0] === 'sign-blob' || args[0] === 'attest-blob';
  return blob && !args.includes('--new-bundle-format') ? ['--new-bundle-format=false'] : [];
}

/** A recording that names no image, and says in words what was run. */
const PLAYED_AS: Readonly<Record<string, readonly string[]>> = {
  'misc-3.1.1 #30': [
    'sign',
    '--key',
    'plain.pem',
    '--use-signing-config=false',
    '--tlog-upload=false',
    '--yes',
    'localhost:5551/golden/misc-3.1.1:single',
  ],
};

/** A text with the address of the stage in place of the recorder's. */
export function onStage(text: string, { host, prefix }: Stage): string {
  return text.replaceAll(RECORDED_HOST, `${host}/${prefix}`);
}

/** A text with the recorder's address in place of the stage's. */
function offStage(text: string, { host, prefix }: Stage, command: RecordedCommand): string {
  const recorded = command.line.includes('localhost:5563/') ? 'localhost:5563/' : 'localhost:5551/';
  return text.replaceAll(`${host}/${prefix}`, recorded);
}

/** The folder in which the commands of a case were run, made again. */
export class Folder {
  readonly path: string = mkdtempSync(join(tmpdir(), 'bulla-golden-'));

  constructor(name: string) {
    for (const shared of ['_keys', '_stack', '_pki']) symlinkSync(join(GOLDEN, shared), join(this.path, shared));
    // What commands write, beside an input or in the place of a recorded file, must not come to lie in the recording.
    cpSync(join(GOLDEN, '_inputs'), join(this.path, '_inputs'), { recursive: true });
    const own = join(GOLDEN, name);
    for (const file of readdirSync(own)) {
      if (!['layout', 'manifests', 'transcript.txt', 'plain.pem'].includes(file)) {
        cpSync(join(own, file), join(this.path, file), { recursive: true });
      }
    }
    writeFileSync(join(this.path, 'junk.pub'), 'junk\n');
    for (const [file, bytes] of attachedFiles(name)) writeFileSync(join(this.path, file), bytes);
  }

  /** Puts in place what was there only from a command on. */
  prepare(command: RecordedCommand): void {
    const key = join(GOLDEN, command.case, 'plain.pem');
    if (existsSync(key) && command.at === 30) copyFileSync(key, join(this.path, 'plain.pem'));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** What was attached in a recording: the files were not kept, what became of them was. */
function attachedFiles(name: string): readonly (readonly [string, Uint8Array])[] {
  if (!/^attach-(?:signature|bundle)/.test(name)) return [];
  const layout = new Layout(join(GOLDEN, name, 'layout'));
  return layout.entries().flatMap(({ digest }): readonly (readonly [string, Uint8Array])[] => {
    const { annotations = {}, layers = [] } = layout.manifest(digest);
    const [layer] = layers;
    const bytes = layer === undefined ? undefined : layout.blob(layer.digest);
    if (layer === undefined || bytes === undefined) return [];
    const signature = layer.annotations?.['dev.cosignproject.cosign/signature'];
    if (signature !== undefined) {
      return [
        ['payload.json', bytes],
        ['payload.sig', Buffer.from(signature)],
      ] as const;
    }
    const type = annotations['dev.sigstore.bundle.predicateType'];
    if (type === undefined) return [];
    return [[`${type === 'https://sigstore.dev/cosign/sign/v1' ? 'sig' : 'att'}.sigstore.json`, bytes] as const];
  });
}

/** Plays one command, with further flags. @returns what bulla printed, with the recorder's address in it */
export async function play(
  command: RecordedCommand,
  stage: Stage,
  folder: Folder,
  flags: readonly string[] = [],
): Promise<Ran> {
  folder.prepare(command);
  const [verb = '', ...rest] = equivalent(command, stage);
  const env = Object.fromEntries(Object.entries(command.env).map(([name, value]) => [name, onStage(value, stage)]));
  const now = RECORDED_AT[command.case];
  const ran = await runInProcess([verb, ...flags, ...rest], {
    cwd: folder.path,
    env: { HOME: folder.path, COSIGN_PASSWORD: PASSWORD, ...(OPA === undefined ? {} : opaVariable(OPA)), ...env },
    ...(command.stdin === undefined ? {} : { stdin: command.stdin }),
    ...(now === undefined ? {} : { now }),
  });
  return { ...ran, stdout: offStage(ran.stdout, stage, command) };
}
