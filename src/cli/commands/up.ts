// SPDX-License-Identifier: Apache-2.0
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RunningStack, StackEndpoints, StartStackOptions, TrustAnchor } from '../../up/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { replaceFiles } from '../file/replace-files.ts';
import { dataDirectory, DATA_FLAG } from '../flags/data-directory.ts';
import { LISTEN_FLAGS, listening, TAG_FLAGS } from '../flags/listen.ts';
import { writeJson } from '../output/json-document.ts';
import { aborted, logRequest } from '../output/service.ts';

const FLAGS = {
  ...DATA_FLAG,
  address: {
    kind: 'string',
    default: '',
    placeholder: 'HOST:PORT',
    help: 'where to listen; where the first start did unless told, and there 127.0.0.1:5080. Port 0 picks a free one, which later starts keep',
  },
  url: {
    kind: 'string',
    default: '',
    placeholder: 'URL',
    help: 'where clients reach it, if that is not where it listens; recorded at the first start and kept',
  },
  'ready-file': {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'write where everything is, as JSON, to FILE once it serves',
  },
  ...LISTEN_FLAGS,
  ...TAG_FLAGS,
  issuers: {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: "whose tokens are taken, as Fulcio's config.yaml; the built-in issuer is always among them",
  },
  rules: {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'which tokens get a certificate; DIR/rules.yaml unless told',
  },
  accounts: {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'people, clients and workloads of the built-in issuer',
  },
  curve: {
    kind: 'string',
    default: 'p256',
    choices: ['p256', 'p384'],
    help: 'of the keys of authorities, at the first start: p256 is 30 times as fast',
  },
  'log-host': {
    kind: 'string',
    default: '',
    placeholder: '{year}.HOST',
    help: "host of each year's shard of the log; without it there is one shard",
  },
  'witness-policy': {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'witnesses that cosign checkpoints, in the form of C2SP tlog-policy',
  },
  'witness-required': { kind: 'boolean', help: 'answer nothing that the witnesses did not cosign' },
  'checkpoint-copy': {
    kind: 'string',
    default: '',
    placeholder: 'FOLDER|URL',
    help: 'copy each published checkpoint to this folder, or PUT it below this URL: what restore needs to know that no entry is missing',
  },
  'offline-root': {
    kind: 'boolean',
    help: 'at the first start: leave root keys in DIR/offline for you to carry away, and keep them out of this process',
  },
  'certificates-per-token': {
    kind: 'integer',
    default: 0,
    help: 'how many certificates one token may get; 0 is no limit',
  },
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** stands for an address that was not given */
const ANYWHERE = '127.0.0.1:0';

/** `bulla up`: the signing stack and a registry, in one process and on one port. */
export const command: Command = defineCommand({
  name: 'up',
  summary: 'Run the signing stack: certificates, logs, timestamps, trust root, issuer, registry',
  description:
    'The first start makes all keys (encrypted where BULLA_PASSWORD is set) and publishes what clients need to trust them; later starts go on where it stood. ' +
    'cosign 2 and 3, gitsign, rekor-cli and bulla sign and verify against it. Without both TLS and users it listens on loopback addresses only, ' +
    'unless --insecure-listen. It ends cleanly on SIGTERM and SIGINT.',
  usage: '[flags] --data DIR',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: FLAGS,
  endless: true,
  examples: [
    'bulla up --data ./stack',
    'bulla up --data /var/lib/bulla --address :443 --url https://seals.example --tls-cert tls.crt --tls-key tls.key --htpasswd users',
  ],
  async run(context, _args, flags, given) {
    if (context.noNetwork) throw new CliError('network-forbidden', '--no-network: a stack is nothing but network');
    const options = startOptions(context, flags, given.has('curve'));
    const readyFile = flags['ready-file'] === '' ? undefined : resolve(context.cwd, flags['ready-file']);
    // A file of an earlier run must not tell that this one serves; but one of a process that still runs is its own.
    const onOwned = (): void => {
      if (readyFile !== undefined) rmSync(readyFile, { force: true });
    };
    const { startStack } = await import('../../up/index.ts');
    context.signal.throwIfAborted();
    const stack = await startStack({ ...options, onOwned, onNewRoot: (anchor) => announceRoot(context, anchor) });
    try {
      context.signal.throwIfAborted();
      announce(context, stack, options.data);
      // Last: who waits for it may read what was said.
      if (readyFile !== undefined) writeReady(readyFile, stack.endpoints);
      await aborted(context.signal);
      context.stderr('stopping: requests under way are finished\n');
    } finally {
      if (readyFile !== undefined) rmSync(readyFile, { force: true });
      await stack.close();
    }
    return EXIT.ok;
  },
});

function startOptions(context: CommandContext, flags: Flags, chosenCurve: boolean): StartStackOptions {
  const file = (name: string): string | undefined => (name === '' ? undefined : resolve(context.cwd, name));
  const password = context.env['BULLA_PASSWORD'];
  if (flags['witness-required'] && flags['witness-policy'] === '') {
    throw new CliError('usage', '--witness-required needs --witness-policy FILE: which witnesses?');
  }
  const { host, port, ...protection } = listening(context, flags.address === '' ? ANYWHERE : flags.address, flags);
  return {
    ...protection,
    listen: flags.address === '' ? undefined : { host, port },
    data: dataDirectory(context, flags, 'up'),
    url: flags.url === '' ? undefined : flags.url,
    ...(password === undefined || password === '' ? {} : { password }),
    ...(chosenCurve ? { curve: flags.curve === 'p384' ? ('p384' as const) : ('p256' as const) } : {}),
    offlineRoot: flags['offline-root'],
    issuersFile: file(flags.issuers),
    rulesFile: file(flags.rules),
    accountsFile: file(flags.accounts),
    logHost: flags['log-host'] === '' ? undefined : flags['log-host'],
    witnessPolicyFile: file(flags['witness-policy']),
    witnessRequired: flags['witness-required'],
    checkpointCopy: placeOf(context, flags['checkpoint-copy']),
    certificatesPerToken: flags['certificates-per-token'] === 0 ? undefined : flags['certificates-per-token'],
    writeOnce: flags['write-once'],
    mutable: flags.mutable,
    onWarning: (warning) => context.warn(warning),
    log: (request) => logRequest(context, request),
  };
}

/** A folder, made absolute, or a URL as it is. */
function placeOf({ cwd }: CommandContext, place: string): string | undefined {
  if (place === '') return undefined;
  return /^https?:\/\//i.test(place) ? place : resolve(cwd, place);
}

function initializeLine({ mirror, root, rootChecksum }: TrustAnchor): string {
  return `cosign initialize --mirror ${mirror} --root ${root} --root-checksum ${rootChecksum}`;
}

function announceRoot(context: CommandContext, anchor: TrustAnchor): void {
  context.stderr(`the TUF root has changed; clients that are new to it begin with\n  ${initializeLine(anchor)}\n`);
}

function writeReady(path: string, endpoints: StackEndpoints): void {
  replaceFiles([{ path, bytes: Buffer.from(`${JSON.stringify(endpoints)}\n`), mode: 0o644 }]);
}

function announce(context: CommandContext, stack: RunningStack, data: string): void {
  const { endpoints } = stack;
  context.stderr(`serving ${endpoints.registry} from ${data}${stack.firstStart ? ' (keys were made)' : ''}\n`);
  context.stderr('\nWho gets a certificate:\n');
  for (const rule of stack.rules()) context.stderr(`  ${rule}\n`);
  context.stderr(`
cosign 3, cosign 2 and bulla trust it after
  ${initializeLine(stack.trustAnchor())}
cosign 2, without initialize, by
${stack
  .cosign2Environment()
  .map(([name, value]) => `  export ${name}=${value}\n`)
  .join('')}
a token of the built-in issuer
  ${context.program} token --data ${data} --subject you@example.com
`);
  if (context.json) writeJson(context, { ...endpoints, rules: stack.rules(), warnings: context.warnings });
}
