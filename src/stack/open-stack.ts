// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { SqliteDatabase } from '../store/index.ts';
import type { HttpClient, Service } from '../wire/index.ts';
import { openCertificateAuthority } from './certificate-authority/open-certificate-authority.ts';
import type { TokenIssuer } from './certificate-authority/issuers/token-issuer.ts';
import type { Rule } from './certificate-authority/rules/rule.ts';
import type { IssuerDocument } from './issuer/issuer-document.ts';
import { createIssuer } from './issuer/issuer.ts';
import { openKeyRing, type KeyRing } from './key/key-ring.ts';
import type { Rotation, RotationOptions } from './key/plan-rotation.ts';
import type { AuthorityAlgorithm } from './key/ring-key.ts';
import type { ShardOptions } from './log-shard.ts';
import { begunShards, LogShards, logsFolder, type ShardCheck } from './log-shards.ts';
import { LogError } from './log/log-error.ts';
import type { Witnesses } from './log/log-options.ts';
import {
  issuanceOf,
  issuerKeysOf,
  retiredChainsOf,
  RunningServices,
  STACK_DATABASE,
  timestampIssuerOf,
} from './running-services.ts';
import { beginYear, shardHost } from './year-shard.ts';
import { createClockGuard } from './timestamp/clock-guard.ts';
import { createTimestampService } from './timestamp/timestamp-service.ts';
import type { RotatedKeys } from './tuf/rotate-keys.ts';
import type { StackAddresses } from './tuf/stack-trust.ts';
import { stackTargets } from './tuf/target.ts';
import { createTufRepository } from './tuf/tuf-repository.ts';

/** What a stack is made of. */
export interface StackOptions {
  /** a directory that this process owns */
  readonly data: string;
  /** whether it has served: its keys, databases and TUF repository must be there then, and are not made anew */
  readonly served?: boolean | undefined;
  /** where clients reach it, without a slash at the end; the same at every start */
  readonly url: string;
  /** encrypts the keys */
  readonly password?: Uint8Array | undefined;
  readonly algorithm?: AuthorityAlgorithm | undefined;
  /** at the first start: keeps keys of roots out of this process */
  readonly offlineRoot?: boolean | undefined;
  /** `{year}.log.example`: each year's shard of the v2 log has a host of its own */
  readonly logHost?: string | undefined;
  /** beside the stack's own */
  readonly issuers: readonly TokenIssuer[];
  readonly rules: readonly Rule[];
  /** who may log in at the stack's own issuer */
  readonly accounts: IssuerDocument;
  readonly witnesses?: Witnesses | undefined;
  readonly onPublished?: ShardOptions['onPublished'];
  readonly lastCopied?: ShardOptions['lastCopied'];
  readonly certificatesPerToken?: number | undefined;
  /** reads the keys of issuers elsewhere */
  readonly http: HttpClient;
  readonly now: () => Date;
  /** milliseconds by a clock that nobody sets */
  readonly monotonic: () => number;
  readonly onWarning: (message: string) => void;
}

/** A service and the paths that it answers; one that ends with a slash stands for all below it. */
export interface StackRoute {
  readonly path: string;
  readonly service: Service;
  /** hands on the path without the route's own */
  readonly strip?: boolean;
}

/** A stack without a socket. */
export interface OpenedStack {
  readonly addresses: StackAddresses;
  /** as they are now; the services in them follow a rotation by themselves */
  readonly routes: readonly StackRoute[];
  /** files for clients, by name: `root.json`, `trusted_root.json`, `signing_config.json` and what cosign 2 takes by variables */
  publicFiles(): ReadonlyMap<string, Uint8Array>;
  /** The rules in force, one line each. */
  describeRules(): readonly string[];
  /** Publishes what is due, and begins the shard of a new year. To be called at least daily. */
  tick(): Promise<readonly string[]>;
  /** Gives a service a new key, tells all clients, and switches to it. */
  rotate(rotation: Rotation, options?: Pick<RotationOptions, 'offlineKeys' | 'overlapMs'>): Promise<RotatedKeys>;
  /** Derives every log anew from its entries and says what does not fit. */
  check(onProgress?: (shard: string, entries: number) => void): Promise<readonly ShardCheck[]>;
  /** What keeps a service from its work, in words. */
  troubles(): readonly string[];
  /** Lets the timestamp authority go on after its clock was set right. */
  resumeClock(): void;
  /** Does something while no key changes and nothing is published: what is copied then fits together. */
  unchanged<T>(work: () => Promise<T>): Promise<T>;
  /** Copies all databases into a folder, each as it is at one moment. */
  copyDatabases(folder: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the services of a data directory, or makes their keys at the first start. Nothing is served before all of it is published.
 *
 * @throws KeyRingError, AuthorityError, LogError, TufError, IssuerError, StoreError: nothing runs then
 * @example const stack = await openStack({ data, url: 'http://127.0.0.1:5080', issuers: [], rules, accounts: EMPTY_DOCUMENT, … });
 */
export async function openStack(options: StackOptions): Promise<OpenedStack> {
  const { data, url, now, onWarning, logHost, accounts, certificatesPerToken, issuers, rules, http } = options;
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  await using opened = new AsyncDisposableStack();
  const database = await SqliteDatabase.open(join(data, STACK_DATABASE));
  opened.defer(() => database.close());
  // A log is begun after its key and the TUF repository are there: where one was, none of these is to be made.
  const begun = (await begunShards(database)).size > 0;
  const existing = options.served === true || begun;
  const ring = await openRing(options, host, existing);
  const addresses = addressesOf(url, logHost);
  const repository = await createTufRepository({
    ring,
    directory: join(data, 'tuf'),
    targets: () => stackTargets(ring, addresses),
    now,
    mustExist: existing,
  });
  // A table of no shards lets every log begin: where the logs are lost as well, under the keys of those that the world has seen.
  if (existing && !begun)
    throw new LogError(
      'log-missing',
      `this stack has served, and ${join(data, STACK_DATABASE)} is gone or empty: bring the data directory back from a backup (bulla restore); a log that is begun anew would be a fork`,
    );
  await beginYear({ ring, repository, logHost, now, onWarning });
  await repository.tick();
  const { witnesses, onPublished, lastCopied } = options;
  const directory = logsFolder(data);
  const shardOptions: ShardOptions = { directory, host, now, onWarning, witnesses, onPublished, lastCopied };
  const shards = await LogShards.open(database, ring, shardOptions);
  opened.defer(() => shards.close());
  const issuer = await createIssuer({ keys: await issuerKeysOf(ring, now()), url, document: accounts, now });
  const authority = await openCertificateAuthority({
    ...(await issuanceOf(ring, shards)),
    database,
    retired: retiredChainsOf(ring, now()),
    issuers,
    builtIn: { url, keys: () => ({ keys: [...issuer.jwks().keys] }) },
    rules,
    http,
    now,
    ...(certificatesPerToken === undefined ? {} : { certificatesPerToken }),
  });
  const { monotonic } = options;
  const earliest = await shards.newestTime();
  const clock = createClockGuard({
    now,
    monotonic,
    ...(earliest === undefined ? {} : { earliest }),
    onStop: (error) => onWarning(error.message),
  });
  const timestamps = createTimestampService({ issuer: await timestampIssuerOf(ring), clock });
  const parts = {
    addresses,
    ring,
    repository,
    database,
    shards,
    authority,
    timestamps,
    issuer,
    clock,
    logHost,
    now,
    onWarning,
  };
  const running = opened.move();
  return new RunningServices({ ...parts, close: () => running.disposeAsync() });
}

async function openRing(options: StackOptions, host: string, existing: boolean): Promise<KeyRing> {
  const { data, password, now, algorithm, offlineRoot, logHost } = options;
  const place = { directory: join(data, 'keys'), password, now };
  if (existing) return await openKeyRing(place);
  return await openKeyRing({
    ...place,
    first: {
      organization: 'bulla',
      logOrigin: shardHost(logHost, now()) ?? host,
      ...(algorithm === undefined ? {} : { authorityAlgorithm: algorithm }),
      ...(offlineRoot === undefined ? {} : { offlineRoot }),
    },
  });
}

/** Where the services of a stack are reached. @param logHost `{year}.log.example` */
export function addressesOf(url: string, logHost: string | undefined): StackAddresses {
  const { protocol, port, hostname } = new URL(url);
  return {
    certificateAuthority: url,
    certificateLog: `${url}/ct`,
    identityProvider: url,
    logV1: url,
    logV2: (origin) => (logHost === undefined ? url : `${protocol}//${origin}${port === '' ? '' : `:${port}`}`),
    timestampAuthority: `${url}/api/v1/timestamp`,
    operator: hostname,
  };
}
