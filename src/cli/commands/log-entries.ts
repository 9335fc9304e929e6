// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, parseJson, readBody, systemClock, type HttpClient, type Json } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { openServiceClient, requireNetwork } from '../flags/service-client.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';

const MAX_ANSWER = 16 * 1024 * 1024;
const PAGE = 100;

const FLAGS = {
  url: { kind: 'string', default: '', placeholder: 'URL', help: 'of the log (`rekor2` of a stack)' },
  identity: {
    kind: 'string',
    default: '',
    placeholder: 'SUBJECT',
    help: 'by certificates for this e-mail address or URI',
  },
  issuer: { kind: 'string', default: '', placeholder: 'URL', help: 'by certificates that this issuer vouched for' },
  digest: { kind: 'string', default: '', placeholder: 'sha256:HEX', help: 'about this digest' },
  repository: { kind: 'string', default: '', placeholder: 'REPOSITORY', help: 'built from this source repository' },
  workflow: { kind: 'string', default: '', placeholder: 'WORKFLOW', help: 'built by this workflow' },
  limit: { kind: 'integer', default: PAGE, min: 1, max: 100_000, help: 'how many at most' },
} as const;

/** An entry as the log answers it. */
interface Found {
  readonly logIndex: string;
  readonly time: string;
  readonly canonicalizedBody: string;
}

/** `bulla log entries`: what a log has about somebody or something. */
export const command: Command = defineCommand({
  name: 'log entries',
  summary: 'Search a log of a stack',
  description:
    'All that is given must hold. What a search finds is complete: entries are in the index as soon as they are in the log. It is not verified: bulla verify-blob and ' +
    'bulla log monitor verify. An entry is found by 256 terms at most: an attestation about more artifacts by the first of their digests, and by all else.',
  usage: '[flags] --url URL',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: FLAGS,
  examples: ['bulla log entries --url http://127.0.0.1:5080 --identity you@example.com'],
  async run(context, _args, flags) {
    const query = queryOf(flags);
    const url = URL.parse(`${flags.url.replace(/\/$/, '')}/api/v2/index/retrieve`);
    if (url === null) throw new CliError('usage', '--url is required: which log?');
    requireNetwork(context, 'a log is asked over the network');
    const client = openServiceClient(context);
    const entries: Found[] = [];
    let after: string | undefined;
    do {
      const page: Page = await ask(client, url, {
        ...query,
        limit: Math.min(PAGE, flags.limit - entries.length),
        ...(after === undefined ? {} : { after }),
      });
      entries.push(...page.entries);
      after = page.next;
    } while (after !== undefined && entries.length < flags.limit);
    if (context.json)
      writeJson(context, {
        entries: entries.map(entryDocument),
        more: after !== undefined,
        warnings: context.warnings,
      });
    else print(context, entries, after !== undefined);
    return EXIT.ok;
  },
});

interface Page {
  readonly entries: readonly Found[];
  readonly next: string | undefined;
}

function queryOf(flags: FlagValues<typeof FLAGS>): Readonly<Record<string, string>> {
  const { identity, issuer, digest, repository, workflow } = flags;
  const asked = { subject: identity, issuer, hash: digest, repository, workflow };
  const given = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== ''));
  if (Object.keys(given).length > 0) return { ...given, operator: 'and' };
  throw new CliError('usage', 'what shall be searched for? --identity, --issuer, --digest, --repository or --workflow');
}

async function ask(client: HttpClient, url: URL, query: object): Promise<Page> {
  const body = Buffer.from(JSON.stringify(query));
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  const deadline = systemClock.now() + 30_000;
  return await client.exchange({ method: 'POST', url, headers, body, deadline, repeatable: true }, async (answer) => {
    const what = `the answer of ${url.host}`;
    const document = parseJson(await readBody(answer, MAX_ANSWER, what), { what, maxBytes: MAX_ANSWER });
    if (answer.status === 200 && isJsonObject(document)) return decodePage(document, what);
    const said = isJsonObject(document) && typeof document['message'] === 'string' ? document['message'] : '';
    throw new CliError('answer-unusable', `${url.host} answered ${answer.status}: ${printable(said.slice(0, 300))}`);
  });
}

function decodePage(document: Readonly<Record<string, Json>>, what: string): Page {
  const { entries, next } = document;
  if (!Array.isArray(entries)) throw new CliError('answer-unusable', `${what} has no entries`);
  return {
    entries: entries.map((entry) => decodeFound(entry, what)),
    next: typeof next === 'string' ? next : undefined,
  };
}

function decodeFound(entry: Json, what: string): Found {
  const { logIndex, time, canonicalizedBody } = isJsonObject(entry) ? entry : {};
  if (typeof logIndex === 'string' && typeof time === 'string' && typeof canonicalizedBody === 'string') {
    return { logIndex, time, canonicalizedBody };
  }
  throw new CliError('answer-unusable', `${what} has an entry that is none`);
}

function entryDocument({ logIndex, time, canonicalizedBody }: Found): object {
  const body: unknown = JSON.parse(Buffer.from(canonicalizedBody, 'base64').toString());
  return { logIndex, time, body };
}

function print(context: CommandContext, entries: readonly Found[], more: boolean): void {
  for (const { logIndex, time, canonicalizedBody } of entries) {
    const body = parseJson(Buffer.from(canonicalizedBody, 'base64'), {
      what: `entry ${logIndex}`,
      maxBytes: MAX_ANSWER,
    });
    const kind = isJsonObject(body) && typeof body['kind'] === 'string' ? body['kind'] : 'unknown';
    context.stdout(`${logIndex}  ${time}  ${printable(kind)}\n`);
  }
  context.stderr(`${entries.length} entries${more ? '; there are more (--limit)' : ''}\n`);
}
