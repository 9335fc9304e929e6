// SPDX-License-Identifier: Apache-2.0
import { describeOrigin, loadTrust, type TrustMaterial, type TrustOrigin } from '../../keyless/index.ts';
import type { SigningConfig, TrustedRoot } from '../../trust/index.ts';
import type { CommandContext } from '../context.ts';
import type { TrustSource } from '../output/trust-origin.ts';
import { openServiceClient } from './service-client.ts';

/** Whom one believes where nobody names a file, and with which services one signs. */
export interface DefaultTrust {
  readonly trustedRoot: TrustedRoot;
  readonly signingConfig?: SigningConfig;
  readonly origin: TrustSource;
}

/**
 * Whom one believes where the command line names no trusted root: the variables, `TUF_MIRROR`, what `initialize` fetched, else the root of the
 * public instance that is built in.
 *
 * @param options.fresh asks the repository, however lately it was asked
 *
 * @throws as `loadTrust`
 */
export async function loadDefaultTrust(
  context: CommandContext,
  options: { readonly fresh?: boolean } = {},
): Promise<DefaultTrust> {
  return described(context, await load(context, 'identities', options.fresh === true ? 0 : undefined));
}

/**
 * What somebody has chosen to trust: variables or a TUF repository, and not what is merely built in. `undefined` where there is none.
 *
 * @param options.fresh asks the repository, however lately it was asked: who seals by a key that was just exchanged must know of it
 *
 * @throws as `loadTrust`
 */
export async function loadInitializedTrust(
  context: CommandContext,
  expected: 'keys' | 'identities',
  options: { readonly fresh?: boolean } = {},
): Promise<DefaultTrust | undefined> {
  const material = await load(context, expected, options.fresh === true ? 0 : undefined);
  return material.origin.kind === 'built-in' ? undefined : described(context, material);
}

async function load(
  context: CommandContext,
  expected: 'keys' | 'identities',
  maxAgeMs?: number,
): Promise<TrustMaterial> {
  return loadTrust({
    ...surroundingsOf(context),
    now: context.now(),
    http: openServiceClient(context),
    offline: context.noNetwork,
    expected,
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
  });
}

/** Where one is, as keyless wants to be told. */
export function surroundingsOf({ env, cwd }: CommandContext): {
  readonly env: CommandContext['env'];
  readonly cwd: string;
  readonly home?: string;
} {
  const home = env['HOME'] ?? env['USERPROFILE'];
  return { env, cwd, ...(home === undefined ? {} : { home }) };
}

function described(context: CommandContext, { origin, trustedRoot, signingConfig }: TrustMaterial): DefaultTrust {
  for (const { what, reason } of trustedRoot.skipped) context.debug(`${what} is passed over: ${reason}`);
  const warning = warningOf(origin);
  if (warning !== undefined) context.warn(`the trusted root is one that was fetched before: ${warning.message}`);
  return {
    trustedRoot,
    ...(signingConfig === undefined ? {} : { signingConfig }),
    origin: { text: describeOrigin(origin, context.now()), document: documentOf(origin), kept: isKept(origin) },
  };
}

function warningOf(origin: TrustOrigin): { readonly code: string; readonly message: string } | undefined {
  if (origin.kind === 'variables' && origin.rest !== undefined) return warningOf(origin.rest);
  return origin.kind === 'tuf' ? origin.warning : undefined;
}

function isKept(origin: TrustOrigin): boolean {
  if (origin.kind === 'variables') return origin.rest !== undefined && isKept(origin.rest);
  return origin.kind === 'tuf' && origin.kept;
}

/** An origin in JSON. */
export function documentOf(origin: TrustOrigin): object {
  switch (origin.kind) {
    case 'variables':
      return {
        kind: origin.kind,
        names: origin.names,
        ...(origin.rest === undefined ? {} : { rest: documentOf(origin.rest) }),
      };
    case 'tuf': {
      const { kind, mirror, rootVersion, kept, checkedAt, expires, warning } = origin;
      const times = { checkedAt: checkedAt.toISOString(), expires: expires.toISOString() };
      const why = warning === undefined ? null : { code: warning.code, message: warning.message };
      return { kind, mirror, rootVersion, kept, ...times, warning: why };
    }
    case 'built-in':
      return { ...origin, signedAt: origin.signedAt.toISOString() };
    default:
      return origin;
  }
}
