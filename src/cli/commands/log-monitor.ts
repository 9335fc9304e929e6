// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import {
  decodeMonitorState,
  encodeMonitorState,
  httpLogReader,
  monitorLog,
  newMonitorState,
  shardOriginV1,
  shardPath,
} from '../../stack/index.ts';
import type { MonitorReport, MonitorState, WatchedEntry } from '../../stack/index.ts';
import {
  compileIdentity,
  hostOfLog,
  noteKey,
  type ExpectedIdentity,
  type NoteKey,
  type PublicKey,
  type TrustedRoot,
} from '../../trust/index.ts';
import { systemClock, type HttpClient } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { readFile } from '../file/read-file.ts';
import { replaceFiles } from '../file/replace-files.ts';
import { openServiceClient, requireNetwork } from '../flags/service-client.ts';
import { readTrustedRoot } from '../flags/trusted-root.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';

const MAX_STATE_BYTES = 64 * 1024;
const MAX_KNOWN_BYTES = 64 * 1024 * 1024;
const WEBHOOK_MS = 30_000;

const FLAGS = {
  url: { kind: 'string', default: '', placeholder: 'URL', help: 'of the log (`rekor2` of a stack)' },
  'trusted-root': { kind: 'string', default: '', placeholder: 'FILE', help: 'whose key signs the log' },
  state: {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'what was seen so far, and FILE.v1 of Rekor v1; made if it is missing',
  },
  identity: {
    kind: 'strings',
    split: false,
    placeholder: 'RE2',
    help: 'an identity of yours, as an expression; may be given several times',
  },
  issuer: {
    kind: 'string',
    default: '',
    placeholder: 'URL',
    help: 'who vouches for these identities; anybody unless told',
  },
  known: {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'digests (sha256:HEX, one a line) that you know to be sealed: entries about them are expected',
  },
  webhook: { kind: 'string', default: '', placeholder: 'URL', help: 'is sent what was not expected, as JSON' },
} as const;

/** `bulla log monitor`: what a log has signed since the last look, and whether anybody signed in your name. */
export const command: Command = defineCommand({
  name: 'log monitor',
  summary: 'Tell when an identity of yours signs something unexpected',
  description:
    'Reads what is new in the logs of a stack (Rekor v2 and v1) since the last look, verifies that they only grew, and compares who signed. Exits 1 if one of your identities signed something that ' +
    'is not listed by --known, or if a log is not consistent with what was seen before; 2 if one could not be read. Run it from a timer.',
  usage: '[flags] --url URL --trusted-root FILE --state FILE --identity RE2',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: FLAGS,
  examples: [
    "bulla log monitor --url http://127.0.0.1:5080 --trusted-root trusted_root.json --state seen.json --identity '^release@example\\.com$'",
  ],
  async run(context, _args, flags) {
    for (const name of ['url', 'trusted-root', 'state'] as const) {
      if (flags[name] === '') throw new CliError('usage', `--${name} is required`);
    }
    requireNetwork(context, 'a log is read over the network');
    const http = openServiceClient(context);
    const logs = await logsOf(context, flags);
    const watch = { identities: await identitiesOf(flags), expected: await knownEntries(context, flags.known) };
    const looks: Look[] = [];
    for (const { state: file, shards } of logs) {
      const seen = await readState(context, file);
      for (const { key, origin, baseUrl, name } of shardsToRead(shards, seen, file, flags)) {
        const known = seen !== undefined && (seen.keyId ?? idOf(key)) === idOf(key);
        const state = known ? seen : newMonitorState(origin);
        const report = await monitorLog({ reader: httpLogReader({ http, baseUrl }), key, state, watch });
        looks.push({ log: baseUrl, name, file, report });
      }
    }
    const unexpected = looks.some(({ report }) => report.unexpected.length > 0);
    if (unexpected && flags.webhook !== '') await callWebhook(http, flags, looks);
    // Last: what could not be told is told again the next time.
    for (const { state } of logs) {
      const newest = looks.findLast(({ file }) => file === state);
      if (newest !== undefined) writeState(context, state, newest.report.state);
    }
    print(context, flags.url, looks);
    return unexpected ? EXIT.failure : EXIT.ok;
  },
});

/** What was seen of one shard. */
interface Look {
  /** where it was read */
  readonly log: string;
  /** what it is called for people */
  readonly name: string;
  /** where that is kept */
  readonly file: string;
  readonly report: MonitorReport;
}

/** A log and what was seen of it. */
interface WatchedLog {
  /** the file of its state */
  readonly state: string;
  /** oldest first */
  readonly shards: readonly ShardKey[];
}

/** A key by which a log at one address signs, or has signed. */
interface ShardKey {
  readonly key: NoteKey;
  readonly origin: string;
  /** below the address: where its shard is read */
  readonly path: string;
  /** its newest shard is read at the address itself */
  readonly atHome: boolean;
}

type Flags = FlagValues<typeof FLAGS>;

/** The logs of the stack at this address: that of Rekor v1 as well, since whoever signs in your name chooses where it is logged. */
async function logsOf(context: CommandContext, flags: Flags): Promise<readonly WatchedLog[]> {
  const host = hostOfLog(flags.url);
  const root = await readTrustedRoot(context, resolve(context.cwd, flags['trusted-root']));
  const here = root.logs
    .filter(({ baseUrl }) => host !== undefined && hostOfLog(baseUrl) === host)
    .toSorted((a, b) => (a.validFor?.start?.getTime() ?? 0) - (b.validFor?.start?.getTime() ?? 0));
  const keysOf = (algorithm: PublicKey['algorithm'], read: (key: PublicKey, name: string) => ShardKey): ShardKey[] =>
    here.flatMap(({ publicKey }) => (publicKey.algorithm === algorithm ? [read(publicKey, host ?? '')] : []));
  const v1 = keysOf('ecdsa-p256', (key, name) => ({
    key: noteKey(name, key),
    origin: shardOriginV1(key, name),
    path: shardPath(key, 'log-v1'),
    atHome: false,
  }));
  const v2 = keysOf('ed25519', (key, name) => {
    return { key: noteKey(name, key), origin: name, path: shardPath(key), atHome: true };
  });
  warnOfNext(context, root, flags);
  if (v1.length + v2.length > 0)
    return [
      { state: `${flags.state}.v1`, shards: v1 },
      { state: flags.state, shards: v2 },
    ];
  throw new CliError('usage', `${flags['trusted-root']} lists no key of a log at ${printable(flags.url)}`);
}

/** A log of a year is followed by one with a name of its own, and then a look at it finds nothing new for ever. */
function warnOfNext(context: CommandContext, { logs }: TrustedRoot, flags: Flags): void {
  const startOf = ({ validFor }: TrustedRoot['logs'][number]): number => validFor?.start?.getTime() ?? 0;
  const all = logs.filter(({ publicKey }) => publicKey.algorithm === 'ed25519');
  const newest = all.toSorted((a, b) => startOf(a) - startOf(b)).at(-1);
  if (newest === undefined || hostOfLog(newest.baseUrl) === hostOfLog(flags.url)) return;
  context.warn(`the newest log of Rekor v2 is at ${newest.baseUrl}: watch that as well`);
}

/** From the shard that was looked at last to the newest: entries at the end of one that was replaced since are not passed over. */
function shardsToRead(
  keys: readonly ShardKey[],
  seen: MonitorState | undefined,
  file: string,
  flags: Flags,
): readonly (ShardKey & { readonly baseUrl: string; readonly name: string })[] {
  const from = seen?.keyId === undefined ? 0 : keys.findIndex(({ key }) => idOf(key) === seen.keyId);
  if (from === -1) {
    const about = `${file} is about a log whose key (${seen?.keyId ?? ''})`;
    throw new CliError('usage', `${about} ${flags['trusted-root']} does not list`);
  }
  const url = flags.url.replace(/\/+$/, '');
  return keys.slice(from).map((shard, at, shards) => {
    const [newest, below] = [at === shards.length - 1, `${url}${shard.path}`];
    const name = newest ? (shard.atHome ? url : `${url} (Rekor v1)`) : below;
    return { ...shard, name, baseUrl: newest && shard.atHome ? url : below };
  });
}

function idOf({ keyId }: NoteKey): string {
  return Buffer.from(keyId).toString('hex');
}

async function identitiesOf({ identity, issuer }: Flags): Promise<readonly ExpectedIdentity[]> {
  if (identity.length === 0) throw new CliError('usage', '--identity is required: who are you?');
  return await Promise.all(
    identity.map((expression) =>
      compileIdentity({
        subject: { expression },
        ...(issuer === '' ? { allowAny: true } : { issuer: { exact: issuer } }),
      }),
    ),
  );
}

async function readState(context: CommandContext, file: string): Promise<MonitorState | undefined> {
  try {
    const bytes = await readFile(file, { cwd: context.cwd, what: 'state', maxBytes: MAX_STATE_BYTES });
    return decodeMonitorState(bytes, file);
  } catch (error) {
    if (error instanceof CliError && error.code === 'file-missing') return undefined;
    throw error;
  }
}

function writeState(context: CommandContext, file: string, state: MonitorState): void {
  replaceFiles([{ path: resolve(context.cwd, file), bytes: encodeMonitorState(state), mode: 0o600 }]);
}

async function knownEntries(context: CommandContext, file: string): Promise<(entry: WatchedEntry) => boolean> {
  if (file === '') return () => false;
  const bytes = await readFile(file, { cwd: context.cwd, what: 'known digests', maxBytes: MAX_KNOWN_BYTES });
  const known = new Set(
    Buffer.from(bytes)
      .toString()
      .split('\n')
      .map((line) => line.trim().toLowerCase()),
  );
  return (entry) => digestsOf(entry).some((digest) => known.has(digest));
}

/** What an entry is about: the digest that was signed, of a blob or of an envelope. */
function digestsOf({ body }: WatchedEntry): readonly string[] {
  const digests = 'digest' in body ? [body.digest] : 'payloadHash' in body ? [body.payloadHash] : [];
  return digests.flatMap((digest) =>
    digest === undefined ? [] : [`${digest.algorithm}:${Buffer.from(digest.bytes).toString('hex')}`],
  );
}

async function callWebhook(http: HttpClient, flags: Flags, looks: readonly Look[]): Promise<void> {
  const url = URL.parse(flags.webhook);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new CliError('usage', '--webhook is no URL of http or https');
  const body = Buffer.from(JSON.stringify(reportDocument(flags.url, looks)));
  const headers = { 'content-type': 'application/json' };
  const request = { method: 'POST', url, headers, body, deadline: systemClock.now() + WEBHOOK_MS, repeatable: true };
  const status = await http.exchange(request, async (answer) => {
    await answer.discard();
    return answer.status;
  });
  if (status < 200 || status > 299)
    throw new CliError('answer-unusable', `the webhook answered ${status}, expected 2xx`);
}

function reportDocument(url: string, looks: readonly Look[]): object {
  return {
    log: url,
    size: looks.at(-1)?.report.checkpoint.size ?? 0,
    read: looks.reduce((sum, { report }) => sum + report.read, 0),
    unreadable: looks.flatMap(({ log, report }) => report.unreadable.map((logIndex) => ({ log, logIndex }))),
    unexpected: looks.flatMap(({ log, report }) =>
      report.unexpected.map((entry) => ({
        log,
        logIndex: entry.index,
        identities: entry.identities.map(({ subject, claims }) => ({ issuer: claims.issuer ?? null, subject })),
        digests: digestsOf(entry),
      })),
    ),
  };
}

function print(context: CommandContext, url: string, looks: readonly Look[]): void {
  if (context.json) {
    writeJson(context, { ...reportDocument(url, looks), warnings: context.warnings });
    return;
  }
  for (const { name, report } of looks) {
    const { checkpoint, read, unexpected } = report;
    for (const { index, identities, body } of unexpected) {
      const who = identities
        .map(({ subject, claims }) => `${printable(subject)} (${printable(claims.issuer ?? 'no issuer')})`)
        .join(', ');
      const place = body.version === '0.0.2' && body.kind !== 'intoto' ? `${index}` : `${index} of Rekor v1`;
      context.stdout(`UNEXPECTED ${place}: ${who}\n`);
    }
    context.stderr(`${name}: ${checkpoint.size} entries, ${read} new, ${unexpected.length} unexpected\n`);
  }
}
