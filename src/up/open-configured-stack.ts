// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  decodeIssuerDocument,
  decodeIssuers,
  decodeRules,
  decodeWitnessPolicy,
  EMPTY_DOCUMENT,
  firstRules,
  openStack,
  witnessClient,
  type OpenedStack,
  type Witnesses,
} from '../stack/index.ts';
import { disk, writeDurably } from '../store/index.ts';
import { HttpClient } from '../wire/index.ts';
import { copyCheckpoints } from './checkpoint-copy.ts';
import { isThere } from './is-there.ts';
import type { RecordedSettings } from './recorded-settings.ts';
import type { StartStackOptions } from './start-options.ts';
import { UpError } from './up-error.ts';

const RULES_FILE = 'rules.yaml';
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** Opens the services as files and settings say. @throws UpError `file-missing`, `file-unreadable`; as `openStack` and the decoders of the files */
export async function openConfiguredStack(
  options: StartStackOptions,
  settings: RecordedSettings,
  { now, served }: { readonly now: () => Date; readonly served: boolean },
): Promise<OpenedStack> {
  const { data, password, onWarning, http = new HttpClient(), certificatesPerToken, checkpointCopy } = options;
  const { issuersFile, accountsFile } = options;
  const copies = checkpointCopy === undefined ? undefined : await copyCheckpoints(checkpointCopy, http);
  return await openStack({
    data,
    served,
    url: settings.url,
    password: password === undefined ? undefined : Buffer.from(password),
    algorithm: settings.curve === 'p384' ? 'ecdsa-p384' : 'ecdsa-p256',
    offlineRoot: settings.offlineRoot,
    logHost: settings.logHost,
    issuers: issuersFile === undefined ? [] : await decodeIssuers(await readInput(issuersFile), issuersFile),
    rules: await readRules(options, settings),
    accounts:
      accountsFile === undefined
        ? EMPTY_DOCUMENT
        : await decodeIssuerDocument(Buffer.from(await readInput(accountsFile)).toString(), accountsFile),
    witnesses: await witnessesOf(options, http),
    ...(copies === undefined ? {} : { onPublished: copies.write, lastCopied: copies.read }),
    ...(certificatesPerToken === undefined ? {} : { certificatesPerToken }),
    http,
    now,
    monotonic: () => performance.now(),
    onWarning,
  });
}

async function witnessesOf(
  { witnessPolicyFile, witnessRequired = false, onWarning }: StartStackOptions,
  http: HttpClient,
): Promise<Witnesses | undefined> {
  if (witnessPolicyFile === undefined) return undefined;
  const text = Buffer.from(await readInput(witnessPolicyFile)).toString();
  const policy = decodeWitnessPolicy(text, witnessPolicyFile);
  return witnessClient({ policy, http, required: witnessRequired, warn: onWarning });
}

async function readRules(
  { data, rulesFile, firstRules: first = firstRules }: StartStackOptions,
  { url }: RecordedSettings,
): ReturnType<typeof decodeRules> {
  const path = rulesFile ?? join(data, RULES_FILE);
  const read = async (): Promise<Uint8Array> => await readInput(path);
  const bytes = await read().catch(async (error: unknown) => {
    if (rulesFile !== undefined || !(error instanceof UpError) || error.code !== 'file-missing') throw error;
    // They are written before the first key is made: where there are keys, whoever was kept out by the rules would be let in.
    if (await isThere(join(data, 'keys'))) throw lostRules(path);
    await writeDurably(disk, data, new Map([[RULES_FILE, first(url)]]));
    return await read();
  });
  return await decodeRules(bytes, path);
}

function lostRules(path: string): UpError {
  return new UpError(
    'file-missing',
    `${path}, which says who gets a certificate, is gone: bring it back from a backup, write it anew, or name another file by --rules`,
  );
}

/** @throws UpError `file-missing`, `file-unreadable` */
async function readInput(path: string): Promise<Uint8Array> {
  try {
    const bytes = await readFile(path);
    if (bytes.byteLength <= MAX_FILE_BYTES) return bytes;
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
    throw new UpError(missing ? 'file-missing' : 'file-unreadable', `cannot read ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
  throw new UpError('file-unreadable', `${path} has more than the ${MAX_FILE_BYTES} bytes that are read`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
