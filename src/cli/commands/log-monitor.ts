// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import {
  decodeMonitorState,
  encodeMonitorState,
  httpLogReader,
  monitorLog,
  newMonitorState,
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
  state: { kind: 'string', default: '', placeholder: 'FILE', help: 'what was seen so far; made if it is missing' },
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
    'Reads what is new in the log since the last look, verifies that the log only grew, and compares who signed. Exits 1 if one of your identities signed something that ' +
    'is not listed by --known, or if the log is not consistent with what was seen before; 2 if the log could not be read. Run it from a timer.',
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
    const keys = await logKeys(context, flags);
    const seen = await readState(context, flags.state);
    const watch = { identities: await identitiesOf(flags), expected: await knownEntries(context, flags.known) };
    const looks: Look[] = [];
    for (const { key, baseUrl } of shardsToRead(keys, seen, flags)) {
      const state = seen !== undefined && (seen.keyId ?? idOf(key)) === idOf(key) ? seen : newMonitorState(key.name);
      const report = await monitorLog({ reader: httpLogReader({ http, baseUrl }), key, state, watch });
      looks.push({ log: baseUrl, report });
    }
    const unexpected = looks.some(({ report }) => report.unexpected.length > 0);
    if (unexpected && flags.webhook !== '') await callWebhook(http, flags, looks);
    // Last: what could not be told is told again the next time.
    const newest = looks.at(-1);
    if (newest !== undefined) writeState(context, flags.state, newest.report.state);
    print(context, flags.url, looks);
    return unexpected ? EXIT.failure : EXIT.ok;
  },
});

/** What was seen of one shard. */
interface Look {
  /** where it was read */
  readonly log: string;
  readonly report: MonitorReport;
}

/** A key by which a log at one address signs, or has signed. */
interface ShardKey {
  readonly key: NoteKey;
  readonly publicKey: PublicKey;
}

type Flags = FlagValues<typeof FLAGS>;

/** All keys by which the log at this address ever signed, oldest first. */
async function logKeys(context: CommandContext, flags: Flags): Promise<readonly ShardKey[]> {
  const host = hostOfLog(flags.url);
  const root = await readTrustedRoot(context, resolve(context.cwd, flags['trusted-root']));
  const keys = root.logs
    .filter(({ baseUrl, publicKey }) => hostOfLog(baseUrl) === host && publicKey.algorithm === 'ed25519')
    .toSorted((a, b) => (a.validFor?.start?.getTime() ?? 0) - (b.validFor?.start?.getTime() ?? 0));
  if (host !== undefined && keys.length > 0)
    return keys.map(({ publicKey }) => ({ key: noteKey(host, publicKey), publicKey }));
  throw new CliError('usage', `${flags['trusted-root']} lists no key of a log at ${printable(flags.url)}`);
}

/** From the shard that was looked at last to the newest: entries at the end of one that was replaced since are not passed over. */
function shardsToRead(
  keys: readonly ShardKey[],
  seen: MonitorState | undefined,
  flags: Flags,
): readonly { readonly key: NoteKey; readonly baseUrl: string }[] {
  const from = seen?.keyId === undefined ? 0 : keys.findIndex(({ key }) => idOf(key) === seen.keyId);
  if (from === -1) {
    const about = `${flags.state} is about a log whose key (${seen?.keyId ?? ''})`;
    throw new CliError('usage', `${about} ${flags['trusted-root']} does not list`);
  }
  const url = flags.url.replace(/\/+$/, '');
  return keys.slice(from).map(({ key, publicKey }, at, shards) => ({
    key,
    baseUrl: at === shards.length - 1 ? url : `${url}${shardPath(publicKey)}`,
  }));
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
  for (const { log, report } of looks) {
    const { checkpoint, read, unexpected } = report;
    for (const { index, identities } of unexpected) {
      const who = identities
        .map(({ subject, claims }) => `${printable(subject)} (${printable(claims.issuer ?? 'no issuer')})`)
        .join(', ');
      context.stdout(`UNEXPECTED ${index}: ${who}\n`);
    }
    context.stderr(`${log}: ${checkpoint.size} entries, ${read} new, ${unexpected.length} unexpected\n`);
  }
}
