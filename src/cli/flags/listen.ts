// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import type { TlsFiles } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';

/** Who reaches a service, and who may write to its registry. */
export const LISTEN_FLAGS = {
  'tls-cert': { kind: 'string', default: '', placeholder: 'FILE', help: 'PEM of the certificate and its chain' },
  'tls-key': { kind: 'string', default: '', placeholder: 'FILE', help: 'PEM of its private key' },
  htpasswd: {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'who may push and pull (bcrypt, as htpasswd -B writes it)',
  },
  'insecure-listen': {
    kind: 'boolean',
    help: 'listen on any address without TLS or without users',
  },
} as const;

/** Which tags of a registry stay. */
export const TAG_FLAGS = {
  'write-once': {
    kind: 'strings',
    split: false,
    placeholder: 'REPO-GLOB:TAG-GLOB',
    help: "tags that keep what they were first given, for example '**:v*'",
  },
  mutable: {
    kind: 'strings',
    split: false,
    placeholder: 'REPO-GLOB:TAG-GLOB',
    help: 'tags that --write-once does not mean',
  },
} as const;

/** Where to listen, with absolute paths. */
export interface Listening {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsFiles;
  readonly htpasswd: string | undefined;
  readonly insecureListen: boolean;
}

/** @throws CliError `usage`, `flag-invalid` */
export function listening(
  { cwd }: Pick<CommandContext, 'cwd'>,
  address: string,
  flags: FlagValues<typeof LISTEN_FLAGS>,
): Listening {
  const file = (name: string): string | undefined => (name === '' ? undefined : resolve(cwd, name));
  const cert = file(flags['tls-cert']);
  const key = file(flags['tls-key']);
  if ((cert === undefined) !== (key === undefined)) {
    throw new CliError('usage', '--tls-cert and --tls-key belong together: only one was given');
  }
  return {
    ...parseAddress(address),
    ...(cert === undefined || key === undefined ? {} : { tls: { cert, key } }),
    htpasswd: file(flags.htpasswd),
    insecureListen: flags['insecure-listen'],
  };
}

/** `HOST:PORT`, `[::1]:PORT`, or `:PORT` for every address, as Go writes it. @throws CliError `flag-invalid` */
export function parseAddress(text: string, flag = 'address'): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? (plain === '' ? '::' : plain);
  if (host === undefined || !(Number(port) <= 65_535)) {
    throw new CliError(
      'flag-invalid',
      `invalid argument "${text.slice(0, 80)}" for "--${flag}" flag: expected HOST:PORT`,
    );
  }
  return { host, port: Number(port) };
}
