// SPDX-License-Identifier: Apache-2.0
import { expectedSeal, openKeylessSigner, openWitnesses, type KeylessSigner } from '../../keyless/index.ts';
import {
  certificateIdentity,
  encodeCertificates,
  keySigner,
  loggedScheme,
  type KeyAlgorithm,
  type PrivateKey,
  type Signer,
  type Witness,
} from '../../trust/index.ts';
import type { HttpClient, TlsSettings } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { readFile } from '../file/read-file.ts';
import { printable } from '../output/printable.ts';
import { consent, loadIdentityToken } from './identity-token.ts';
import { withCertificate } from './own-certificate.ts';
import { warnOfPlainHttp } from './plain-http.ts';
import { loadPrivateKey } from './private-key.ts';
import { openServiceClient, requireNetwork } from './service-client.ts';
import { requireAlgorithm, type SigningDemand, type SigningFlags, type SigningPlan } from './signing-plan.ts';
import { resolveServices, type ResolvedServices } from './signing-services.ts';

const MAX_PEM_BYTES = 1024 * 1024;

/**
 * Who seals with services: an identity, or a key that a log or a timestamp authority is told of.
 *
 * @throws CliError `usage`, `declined`, `network-forbidden`; as `resolveServices`, `loadIdentityToken` and `openKeylessSigner`
 */
export async function planWithServices(
  context: CommandContext,
  flags: SigningFlags,
  demand: SigningDemand,
): Promise<SigningPlan> {
  const [reference] = flags.key;
  const certified = reference === undefined || flags['issue-certificate'];
  if (certified && flags.certificate !== undefined)
    throw new CliError(
      'usage',
      '--certificate is of a key that one has: give --key too, and leave --issue-certificate out',
    );
  const resolved = await resolveServices(context, flags, { ...demand, certificate: certified });
  const { services, trustedRoot } = resolved;
  const asked = [...services.timestampAuthorities, ...services.logs];
  if (certified || asked.length > 0) requireNetwork(context, 'sealing with services asks them');
  requireTrust(context, flags, resolved, certified);
  if (!flags.yes && (certified || services.logs.length > 0))
    await consent(context, keepers(resolved), !demand.stdinTaken || context.canPrompt);
  const http = openServiceClient(context);
  const key = reference === undefined ? undefined : await loadPrivateKey(context, reference);
  const base = certified
    ? await certifiedPlan(context, flags, resolved, http, { ...demand, key })
    : await keyPlan(context, flags, key, { witnessed: asked.length > 0, algorithm: demand.algorithm });
  const expectation =
    trustedRoot === undefined
      ? undefined
      : await expectedSeal(base.signer, services, { trustedRoot, now: context.now() });
  return {
    ...base,
    witnesses: await witnessesOf(context, flags, resolved, demand, http),
    ...(expectation === undefined || asked.length + (certified ? 1 : 0) === 0
      ? {}
      : { expectation: flags['insecure-skip-verify'] ? withoutScts(expectation) : expectation }),
  };
}

type Base = Pick<SigningPlan, 'identity' | 'certificate'> & { readonly signer: Signer | KeylessSigner };

async function certifiedPlan(
  context: CommandContext,
  flags: SigningFlags,
  { services }: ResolvedServices,
  http: HttpClient,
  {
    key,
    algorithm,
    meanwhile,
  }: Pick<SigningDemand, 'algorithm' | 'meanwhile'> & { readonly key: PrivateKey | undefined },
): Promise<Base> {
  const { certificateAuthority: authority, identityProvider } = services;
  if (authority === undefined) throw new CliError('usage', 'a seal by an identity needs a certificate authority');
  warnOfPlainHttp(context, authority.url);
  const issuer = (flags['oidc-issuer'] ?? '') === '' ? identityProvider?.url : flags['oidc-issuer'];
  const { token, from } = await loadIdentityToken(context, flags, http, issuer);
  context.stderr(`identity: ${printable(token.challenge)} (${printable(token.issuer)}), by ${printable(from)}\n`);
  meanwhile?.();
  const signer = await openKeylessSigner({
    authority,
    token,
    http,
    ...(key === undefined ? {} : { key }),
    ...(algorithm === undefined ? {} : { algorithm }),
  });
  requireAlgorithm(signer, algorithm);
  const check = certificateIdentity(signer.leaf);
  const identity =
    check.kind === 'accepted'
      ? { subject: check.identity.subject, issuer: check.identity.claims.issuer ?? null }
      : { subject: token.challenge, issuer: token.issuer };
  return { signer, identity, certificate: encodeCertificates(signer.certificate.map((der) => ({ der }))) };
}

// A log keeps no word of how a signature was made: what it is told of is signed in the one way that it takes.
async function keyPlan(
  context: CommandContext,
  flags: SigningFlags,
  key: PrivateKey | undefined,
  { witnessed, algorithm }: { readonly witnessed: boolean; readonly algorithm: KeyAlgorithm | undefined },
): Promise<Base> {
  if (key === undefined) throw new CliError('usage', 'nothing to seal with: neither a key nor an identity');
  const signer = witnessed ? keySigner(key, loggedScheme(key.publicKey)) : keySigner(key);
  requireAlgorithm(signer, algorithm);
  return flags.certificate === undefined ? { signer } : withCertificate(context, signer, flags);
}

async function witnessesOf(
  context: CommandContext,
  flags: SigningFlags,
  { services, trustedRoot }: ResolvedServices,
  { legacy }: SigningDemand,
  http: HttpClient,
): Promise<readonly Witness[]> {
  const { logs, timestampAuthorities } = services;
  const known = trustedRoot === undefined ? {} : { trustedRoot };
  const tls = await timestampTls(context, flags);
  const clockClient = tls === undefined ? http : openServiceClient(context, tls);
  return [
    ...openWitnesses(
      { logs: [], timestampAuthorities },
      { http: clockClient, timestampCertificates: legacy, ...known },
    ),
    ...openWitnesses({ logs, timestampAuthorities: [] }, { http, ...known }),
  ];
}

/** cosign's flags for a timestamp authority with a TLS of its own. */
async function timestampTls(context: CommandContext, flags: SigningFlags): Promise<TlsSettings | undefined> {
  const pem = async (file: string | undefined): Promise<string | undefined> =>
    file === undefined
      ? undefined
      : new TextDecoder().decode(await readFile(file, { cwd: context.cwd, what: 'TLS file', maxBytes: MAX_PEM_BYTES }));
  const [ca, cert, key] = await Promise.all([
    pem(flags['timestamp-client-cacert']),
    pem(flags['timestamp-client-cert']),
    pem(flags['timestamp-client-key']),
  ]);
  if ((cert === undefined) !== (key === undefined))
    throw new CliError(
      'usage',
      '--timestamp-client-cert and --timestamp-client-key belong together: only one was given',
    );
  const serverName = flags['timestamp-server-name'];
  if (ca === undefined && cert === undefined && serverName === undefined) return undefined;
  return {
    ...(ca === undefined ? {} : { ca: [ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

/** A seal that nobody could verify helps nobody, and would be in a log for ever. */
function requireTrust(
  context: CommandContext,
  flags: SigningFlags,
  { services, trustedRoot }: ResolvedServices,
  certified: boolean,
): void {
  if (trustedRoot !== undefined || flags['insecure-skip-verify']) return;
  if (!certified && services.logs.length + services.timestampAuthorities.length === 0) return;
  const hint = `name it with --trusted-root FILE, by cosign's SIGSTORE_* variables, or fetch it: ${context.program} initialize --mirror URL --root FILE`;
  throw new CliError(
    'usage',
    'no trusted root says whom to believe about these services, and the seal is verified before it is given to anybody',
    { hint },
  );
}

function keepers({ services: { certificateAuthority, logs } }: ResolvedServices): readonly string[] {
  const urls = logs.map(({ url }) => url);
  return urls.length > 0 || certificateAuthority === undefined ? urls : [certificateAuthority.url];
}

function withoutScts<T extends { readonly evidence: object }>(expectation: T): T {
  return { ...expectation, evidence: { ...expectation.evidence, ignoreScts: true } };
}
