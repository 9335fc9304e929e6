// SPDX-License-Identifier: Apache-2.0
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SqlDatabase } from '../store/index.ts';
import {
  certificateSigner,
  createTimestampIssuer,
  encodeCertificates,
  encodePublicKey,
  type TimestampIssuer,
} from '../trust/index.ts';
import type { Service } from '../wire/index.ts';
import type { Issuance } from './certificate-authority/issuance/signing-authority.ts';
import type { OpenedCertificateAuthority } from './certificate-authority/open-certificate-authority.ts';
import { servedCertificateLogs } from './certificate-log-shards.ts';
import type { IdentityIssuer, IssuerKeys } from './issuer/issuer.ts';
import type { KeyRing } from './key/key-ring.ts';
import type { KeyRole } from './key/key-role.ts';
import type { Rotation } from './key/plan-rotation.ts';
import type { LogShards, ShardCheck } from './log-shards.ts';
import { logsFolder } from './log-shards.ts';
import type { OpenedStack, StackRoute } from './open-stack.ts';
import { servedRekorV1, servedRekorV2 } from './rekor-shards.ts';
import type { ClockGuard } from './timestamp/clock-guard.ts';
import type { TimestampAuthorityService } from './timestamp/timestamp-service.ts';
import { rotateKeys, type RotatedKeys } from './tuf/rotate-keys.ts';
import { chainOf, type StackAddresses } from './tuf/stack-trust.ts';
import { SIGNING_CONFIG_NAME, TRUSTED_ROOT_NAME } from './tuf/target.ts';
import type { TufRepository } from './tuf/tuf-repository.ts';
import { beginYear } from './year-shard.ts';

/** What runs. */
export interface ServiceParts {
  readonly addresses: StackAddresses;
  readonly ring: KeyRing;
  readonly repository: TufRepository;
  readonly database: SqlDatabase;
  readonly shards: LogShards;
  readonly authority: OpenedCertificateAuthority;
  readonly timestamps: TimestampAuthorityService;
  readonly issuer: IdentityIssuer;
  readonly clock: ClockGuard;
  /** `{year}.log.example` */
  readonly logHost: string | undefined;
  readonly now: () => Date;
  readonly onWarning: (message: string) => void;
  /** closes what was opened */
  readonly close: () => Promise<void>;
}

/** The database of everything but logs. */
export const STACK_DATABASE = 'stack.db';

/** Services that go on while keys change under them: a route keeps its place, what answers there is exchanged. */
export class RunningServices implements OpenedStack {
  readonly routes: readonly StackRoute[];
  readonly addresses: StackAddresses;
  readonly #parts: ServiceParts;
  #rekorV1: Service;
  #rekorV2: Service;
  #certificateLogs: Service;
  /** what the services sign with */
  #adopted: ReadonlyMap<KeyRole, string>;
  #changing: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
    this.addresses = parts.addresses;
    this.#adopted = activeKeys(parts.ring);
    this.#rekorV1 = servedRekorV1(parts.shards.of('log-v1'));
    this.#rekorV2 = servedRekorV2(parts.shards.of('log-v2'), parts.now, parts.shards.of('log-v1'));
    this.#certificateLogs = certificateLogsOf(parts);
    const v1 = ofTheMoment(() => this.#rekorV1);
    const v2 = ofTheMoment(() => this.#rekorV2);
    const ct = ofTheMoment(() => this.#certificateLogs);
    this.routes = routesOf(parts, { v1, v2, ct });
  }

  publicFiles(): ReadonlyMap<string, Uint8Array> {
    const { ring, repository } = this.#parts;
    return new Map<string, Uint8Array>([
      ['root.json', repository.root()],
      ['trusted_root.json', repository.target(TRUSTED_ROOT_NAME)],
      ['signing_config.json', repository.target(SIGNING_CONFIG_NAME)],
      ['fulcio.pem', Buffer.from(encodeCertificates(chainOf(ring.active('ca'))))],
      ['ctfe.pub', Buffer.from(encodePublicKey(ring.active('ct-log').publicKey))],
      ['rekor.pub', Buffer.from(encodePublicKey(ring.active('log-v1').publicKey))],
      ['tsa.pem', Buffer.from(encodeCertificates(chainOf(ring.active('tsa'))))],
    ]);
  }

  describeRules(): readonly string[] {
    return this.#parts.authority.authority.describeRules();
  }

  async tick(): Promise<readonly string[]> {
    return await this.#inTurn(async () => {
      // By a clock that jumped any year might begin, and no other log could ever have its name.
      if (this.#parts.clock.fault() === undefined) await beginYear(this.#parts);
      const { warnings } = await this.#parts.repository.tick();
      await this.#adopt();
      return warnings.map(({ message }) => message);
    });
  }

  async rotate(rotation: Rotation, options: Parameters<OpenedStack['rotate']>[1] = {}): Promise<RotatedKeys> {
    return await this.#inTurn(async () => {
      const { ring, repository, now } = this.#parts;
      const rotated = await rotateKeys(ring, repository, rotation, { now: now(), ...options });
      await this.#adopt();
      return rotated;
    });
  }

  async check(onProgress?: (shard: string, entries: number) => void): Promise<readonly ShardCheck[]> {
    return await this.#parts.shards.check(onProgress);
  }

  troubles(): readonly string[] {
    const { clock, shards, ring, now } = this.#parts;
    const fault = clock.fault();
    const time = now();
    const ended = (['ca', 'tsa'] as const).flatMap((role) => {
      const over = chainOf(ring.active(role)).find(({ notBefore, notAfter }) => time < notBefore || notAfter < time);
      if (over === undefined) return [];
      const life = `${over.notBefore.toISOString()} to ${over.notAfter.toISOString()}`;
      return [`${role}: its certificate is valid from ${life}, the clock shows ${time.toISOString()}: rotate ${role}`];
    });
    return [...(fault === undefined ? [] : [`timestamps: ${fault.message}`]), ...ended, ...shards.troubles()];
  }

  resumeClock(): void {
    this.#parts.clock.resume();
  }

  // What refers to a log is copied before it, so that no copy knows of an entry that the copy of its log lacks.
  async copyDatabases(folder: string): Promise<void> {
    await this.#parts.database.copyTo(join(folder, STACK_DATABASE));
    await mkdir(logsFolder(folder), { mode: 0o700 });
    await this.#parts.shards.copyTo(logsFolder(folder));
  }

  async unchanged<T>(work: () => Promise<T>): Promise<T> {
    return await this.#inTurn(work);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#changing.catch(() => undefined);
    await this.#parts.close();
  }

  /** One change of keys at a time; a request that is under way ends with the key that it began with. */
  async #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const mine = this.#changing.catch(() => undefined).then(change);
    this.#changing = mine;
    return await mine;
  }

  /** Switches the services to keys that are active by now; those of a rotation that could not be published at first are, too. */
  async #adopt(): Promise<void> {
    const { shards, authority, timestamps, issuer, ring, now } = this.#parts;
    const active = activeKeys(ring);
    const changed = (...roles: readonly KeyRole[]): boolean =>
      roles.some((role) => active.get(role) !== this.#adopted.get(role));
    if (changed('log-v1', 'log-v2', 'ct-log')) {
      await shards.follow();
      this.#rekorV1 = servedRekorV1(shards.of('log-v1'));
      this.#rekorV2 = servedRekorV2(shards.of('log-v2'), now, shards.of('log-v1'));
      this.#certificateLogs = certificateLogsOf(this.#parts);
    }
    if (changed('ca', 'ct-log')) await authority.authority.replace(await issuanceOf(ring, shards));
    // At every tick, as well as the issuer's: the time of a retired key ends without a rotation.
    authority.authority.keepRetired(retiredChainsOf(ring, now()));
    if (changed('tsa')) timestamps.replace(await timestampIssuerOf(ring));
    await issuer.replaceKeys(await issuerKeysOf(ring, now()));
    this.#adopted = active;
  }
}

const ADOPTED: readonly KeyRole[] = ['ca', 'ct-log', 'log-v1', 'log-v2', 'tsa'];

/** Which key signs for whom. */
function activeKeys(ring: KeyRing): ReadonlyMap<KeyRole, string> {
  return new Map(ADOPTED.map((role) => [role, ring.active(role).id]));
}

/** What certificates are issued with. */
export async function issuanceOf(ring: KeyRing, shards: LogShards): Promise<Issuance> {
  const key = ring.active('ca');
  const { signer, log } = shards.shard(ring.active('ct-log').id);
  return {
    authority: { signer: certificateSigner(await ring.privateKey(key)), chain: chainOf(key) },
    certificateLog: { signer, log },
  };
}

/** By which chains certificates were issued that clients go on to trust, the newest first: not by one that is compromised. */
export function retiredChainsOf(ring: KeyRing, now: Date): readonly Issuance['authority']['chain'][] {
  const retired = ring
    .of('ca')
    .filter(({ state, validFor: { end } }) => state === 'retired' && (end === undefined || end > now));
  return retired.toReversed().map(chainOf);
}

/** What timestamps are given with. */
export async function timestampIssuerOf(ring: KeyRing): Promise<TimestampIssuer> {
  const key = ring.active('tsa');
  return await createTimestampIssuer(certificateSigner(await ring.privateKey(key)), chainOf(key));
}

/** With which key tokens are signed, and by which others they may still be: as long as the longest of theirs lives. */
export async function issuerKeysOf(ring: KeyRing, now: Date): Promise<IssuerKeys> {
  const active = ring.active('issuer');
  const others = ring
    .of('issuer')
    .filter(({ id, validFor: { end } }) => id !== active.id && (end === undefined || end > now))
    .map(({ publicKey }) => publicKey);
  return [await ring.privateKey(active), ...others.toReversed()];
}

/** The certificate logs: what answers for the newest follows the authority by itself. */
function certificateLogsOf({ authority, shards }: Pick<ServiceParts, 'authority' | 'shards'>): Service {
  const ended = shards.of('ct-log').filter(({ key }) => key.state === 'retired');
  const services = ended.map(({ key, signer, log }) => {
    return [key.id, authority.certificateLogServiceOf({ signer, log })] as const;
  });
  return servedCertificateLogs(authority.certificateLogService, new Map(services));
}

function routesOf(
  parts: ServiceParts,
  { v1, v2, ct }: Readonly<Record<'v1' | 'v2' | 'ct', Service>>,
): readonly StackRoute[] {
  const authority = parts.authority.service;
  const timestamps = parts.timestamps.service;
  const issuer = parts.issuer.service;
  const routes: readonly (readonly [Service, readonly string[]])[] = [
    [authority, ['/api/v1/signingCert', '/api/v1/rootCert']],
    [authority, ['/api/v2/signingCert', '/api/v2/trustBundle', '/api/v2/configuration']],
    [ct, ['/ct/v1/', '/ct/ct/v1/', '/ct/shards/']],
    [v1, ['/api/v1/log', '/api/v1/log/', '/api/v1/index/', '/api/v1/version']],
    [v2, ['/api/v2/', '/checkpoint', '/tile/', '/shards/']],
    [timestamps, ['/api/v1/timestamp', '/api/v1/timestamp/', '/ping']],
    [issuer, ['/.well-known/openid-configuration', '/oidc/']],
  ];
  return [
    ...routes.flatMap(([service, paths]) => paths.map((path) => ({ path, service }))),
    { path: '/tuf/', service: parts.repository.service, strip: true },
  ];
}

/** A service that may be exchanged: each request is answered by the one of that moment. */
function ofTheMoment(find: () => Service): Service {
  return { answer: (call) => find().answer(call), fault: (error) => find().fault(error) };
}
