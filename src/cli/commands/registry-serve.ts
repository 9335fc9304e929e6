// SPDX-License-Identifier: Apache-2.0
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ServeRegistryOptions } from '../../registry/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { replaceFiles } from '../file/replace-files.ts';
import { LISTEN_FLAGS, listening, TAG_FLAGS } from '../flags/listen.ts';
import { writeJson } from '../output/json-document.ts';
import { aborted, logRequest } from '../output/service.ts';

const FLAGS = {
  address: {
    kind: 'string',
    default: '127.0.0.1:5000',
    placeholder: 'HOST:PORT',
    help: 'where to listen; port 0 picks a free one',
  },
  data: { kind: 'string', default: '', placeholder: 'DIR', help: 'where images are kept; made if it is missing' },
  'ready-file': {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'write {"registry":URL} to FILE once it serves',
  },
  ...TAG_FLAGS,
  ...LISTEN_FLAGS,
  url: {
    kind: 'string',
    default: '',
    placeholder: 'URL',
    help: 'where clients reach it, if that is not where it listens',
  },
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** What `--ready-file` holds; `--json` prints it with `warnings`. */
export interface ReadyDocument {
  /** `http://HOST:PORT`, or `--url` */
  readonly registry: string;
}

/** `bulla registry serve`: an OCI registry on this machine. */
export const command: Command = defineCommand({
  name: 'registry serve',
  summary: 'Serve an OCI registry with write-once tags',
  description:
    'Serves what docker, podman, buildah, skopeo, crane, oras and cosign push and pull, with the referrers API. What it answered with 2xx is on the ' +
    'disk. Without both TLS and users it listens on loopback addresses only, unless --insecure-listen. It ends cleanly on SIGTERM and SIGINT.',
  usage: '[flags] --data DIR',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: FLAGS,
  endless: true,
  examples: [
    'bulla registry serve --data ./registry',
    "bulla registry serve --data ./registry --write-once '**:*' --mutable '**:latest'",
    'bulla registry serve --data /var/lib/bulla --address 0.0.0.0:443 --tls-cert tls.crt --tls-key tls.key --htpasswd users',
  ],
  async run(context, _args, flags) {
    if (context.noNetwork) throw new CliError('network-forbidden', '--no-network: a registry is nothing but network');
    const options = serveOptions(context, flags);
    const readyFile = flags['ready-file'] === '' ? undefined : resolve(context.cwd, flags['ready-file']);
    // A file of an earlier run must not tell that this one serves; but one of a process that still runs is its own.
    const onOwned = (): void => {
      if (readyFile !== undefined) rmSync(readyFile, { force: true });
    };
    const { serveRegistry } = await import('../../registry/index.ts');
    context.signal.throwIfAborted();
    const registry = await serveRegistry({ ...options, onOwned });
    try {
      announce(context, registry.url, options.data, readyFile);
      await aborted(context.signal);
      context.stderr('stopping: requests under way are finished\n');
    } finally {
      if (readyFile !== undefined) rmSync(readyFile, { force: true });
      await registry.close();
    }
    return EXIT.ok;
  },
});

function serveOptions(context: CommandContext, flags: Flags): ServeRegistryOptions {
  if (flags.data === '') {
    throw new CliError('usage', '--data is required: where are images kept?', {
      hint: `for example: ${context.program} registry serve --data ./registry`,
    });
  }
  return {
    ...listening(context, flags.address, flags),
    data: resolve(context.cwd, flags.data),
    writeOnce: flags['write-once'],
    mutable: flags.mutable,
    url: flags.url === '' ? undefined : flags.url,
    onWarning: (warning) => context.warn(warning),
    log: (request) => logRequest(context, request),
  };
}

function announce(context: CommandContext, url: string, data: string, readyFile: string | undefined): void {
  const document: ReadyDocument = { registry: url };
  if (readyFile !== undefined) {
    replaceFiles([{ path: readyFile, bytes: Buffer.from(`${JSON.stringify(document)}\n`), mode: 0o644 }]);
  }
  context.stderr(`serving ${url} from ${data}\n`);
  if (context.json) writeJson(context, { ...document, warnings: context.warnings });
}
