// SPDX-License-Identifier: Apache-2.0
import { chooseSigningServices, namedServices, type SigningServices } from '../../keyless/index.ts';
import type { SigningConfig, TrustedRoot } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import type { DefaultTrust } from './default-trust.ts';
import { readSigningConfig } from './signing-config-file.ts';
import type { SIGNING_FLAGS } from './signing.ts';
import { readTrustedRoot } from './trusted-root.ts';

type Flags = FlagValues<typeof SIGNING_FLAGS>;

/** With whom one seals, and whom one believes about it. */
export interface ResolvedServices {
  readonly services: SigningServices;
  /** absent where nobody says: then nothing but the signature can be verified */
  readonly trustedRoot?: TrustedRoot;
}

/** What the services are for. */
export interface ServiceDemand {
  /** a certificate is to be had */
  readonly certificate: boolean;
  /** in a format of cosign 2, which has no place for an entry of Rekor v2 */
  readonly legacy: boolean;
  /** the flags that were on the command line */
  readonly given: ReadonlySet<string>;
}

const URLS = ['fulcio-url', 'rekor-url', 'timestamp-server-url'] as const;

/**
 * The services that flags name: a signing config, or URLs; else those of the trust that `initialize` fetched.
 *
 * @throws CliError `usage` for flags that say two things, or nothing; as `readFile`; TrustError as `decodeSigningConfig`, `service-missing`;
 * KeylessError `setting-malformed`, `timestamp-required`, `authority-missing`, and as `loadTrust`
 */
export async function resolveServices(
  context: CommandContext,
  flags: Flags,
  demand: ServiceDemand,
): Promise<ResolvedServices> {
  const named = URLS.filter((name) => set(flags[name]) !== undefined);
  const file = set(flags['signing-config']);
  if (named.length > 0 && (file !== undefined || flags['use-signing-config']))
    throw new CliError('usage', `cannot specify service URLs and use signing config: --${named[0]}`);
  const dropsLog = !flags['tlog-upload'];
  if (dropsLog && (file !== undefined || flags['use-signing-config']))
    throw new CliError(
      'usage',
      '--tlog-upload=false is not supported with --signing-config or --use-signing-config: give a signing config without a log',
      { hint: `${context.program} signing-config create makes one` },
    );
  if (named.length > 0) return byAddress(context, flags, demand, dropsLog);
  if (file !== undefined) {
    const config = await readSigningConfig(context, file);
    const services = choose(context, config, demand);
    const needed = services.logs.length + services.timestampAuthorities.length + (demand.certificate ? 1 : 0) > 0;
    return { services, ...(needed ? await knownRoot(context, flags, demand) : await givenRoot(context, flags)) };
  }
  const fetched = await fetchedTrust(context, demand);
  if (fetched?.signingConfig === undefined) throw nothingNamed(context, demand);
  context.stderr(`trust: ${fetched.origin.text}\n`);
  const given = await givenRoot(context, flags);
  return { services: choose(context, fetched.signingConfig, demand), trustedRoot: fetched.trustedRoot, ...given };
}

function choose(context: CommandContext, config: SigningConfig, demand: ServiceDemand): SigningServices {
  const { certificate, legacy } = demand;
  return chooseSigningServices(config, { now: context.now(), certificate, logVersions: legacy ? [1] : [1, 2] });
}

async function byAddress(
  context: CommandContext,
  flags: Flags,
  demand: ServiceDemand,
  dropsLog: boolean,
): Promise<ResolvedServices> {
  const [fulcio, rekor, timestamp, issuer] = [
    set(flags['fulcio-url']),
    dropsLog ? undefined : set(flags['rekor-url']),
    set(flags['timestamp-server-url']),
    set(flags['oidc-issuer']),
  ];
  if (demand.certificate && fulcio === undefined)
    throw new CliError('usage', 'a seal by an identity needs a certificate authority: give --fulcio-url too, or --key');
  const services = namedServices({
    ...(demand.certificate && fulcio !== undefined ? { fulcio } : {}),
    ...(rekor === undefined ? {} : { rekor }),
    ...(timestamp === undefined ? {} : { timestamp }),
    ...(issuer === undefined ? {} : { issuer }),
  });
  return { services, ...(await knownRoot(context, flags, demand)) };
}

/** The trusted root that a flag names. */
async function givenRoot(context: CommandContext, flags: Flags): Promise<{ readonly trustedRoot?: TrustedRoot }> {
  const file = set(flags['trusted-root']);
  return file === undefined ? {} : { trustedRoot: await readTrustedRoot(context, file) };
}

/** The same, else what variables or `initialize` say. */
async function knownRoot(
  context: CommandContext,
  flags: Flags,
  demand: ServiceDemand,
): Promise<{ readonly trustedRoot?: TrustedRoot }> {
  const given = await givenRoot(context, flags);
  if (given.trustedRoot !== undefined) return given;
  const fetched = await fetchedTrust(context, demand);
  if (fetched === undefined) return {};
  context.stderr(`trust: ${fetched.origin.text}\n`);
  return { trustedRoot: fetched.trustedRoot };
}

/** What `initialize` fetched. Who names files needs none of what looks for it. */
async function fetchedTrust(
  context: CommandContext,
  { certificate }: ServiceDemand,
): Promise<DefaultTrust | undefined> {
  const { loadInitializedTrust } = await import('./default-trust.ts');
  return loadInitializedTrust(context, certificate ? 'identities' : 'keys', { fresh: true });
}

function nothingNamed(context: CommandContext, { certificate }: ServiceDemand): CliError {
  const what = certificate ? 'to seal with an identity services are needed' : 'which services?';
  return new CliError('usage', `${what}: none were named, and no trust with a signing config was fetched`, {
    hint: `give --signing-config and --trusted-root, or --fulcio-url and --rekor-url, or run ${context.program} initialize (with --mirror and --root for a stack of your own); or seal with --key`,
  });
}

function set(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
