// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { findIdentityToken, type FoundToken, type LoginFlow, type LoginSettings } from '../../keyless/index.ts';
import type { HttpClient } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { readFile } from '../file/read-file.ts';
import { printable } from '../output/printable.ts';
import { BULLA_VERSION } from '../version.ts';
import type { SIGNING_FLAGS } from './signing.ts';

type Flags = Pick<
  FlagValues<typeof SIGNING_FLAGS>,
  | 'identity-token'
  | 'oidc-client-id'
  | 'oidc-client-secret-file'
  | 'oidc-redirect-url'
  | 'oidc-provider'
  | 'oidc-disable-ambient-providers'
  | 'fulcio-auth-flow'
>;

const MAX_SECRET_BYTES = 64 * 1024;

/**
 * Who one is: a given token, the surroundings' token, a login that is kept, or a login now. No token shows in any output.
 *
 * @param issuer where to log in, if anybody says
 * @throws CliError as `readFile`; KeylessError as `findIdentityToken`
 */
export async function loadIdentityToken(
  context: CommandContext,
  flags: Flags,
  http: HttpClient,
  issuer: string | undefined,
): Promise<FoundToken> {
  const given = set(flags['identity-token']);
  const provider = set(flags['oidc-provider']);
  const asks = given === undefined && issuer !== undefined;
  const login = asks ? await loginSettings(context, flags, issuer) : undefined;
  const keptLogin = keptLoginFile(context);
  return findIdentityToken({
    client: http,
    environment: context.env,
    clientId: flags['oidc-client-id'],
    ...(given === undefined ? {} : { given: fromHere(context, given) }),
    ...(provider === undefined ? {} : { provider }),
    ambient: !flags['oidc-disable-ambient-providers'],
    ...(login === undefined ? {} : { login }),
    ...(keptLogin === undefined ? {} : { keptLogin }),
    signal: context.signal,
    userAgent: `bulla/${BULLA_VERSION}`,
  });
}

/** How a person or program logs in. @throws CliError as `readFile` */
export async function loginSettings(
  context: CommandContext,
  flags: Pick<Flags, 'oidc-client-secret-file' | 'oidc-redirect-url' | 'fulcio-auth-flow'>,
  issuer: string,
): Promise<LoginSettings> {
  const secretFile = set(flags['oidc-client-secret-file']);
  const redirectUrl = set(flags['oidc-redirect-url']);
  const flow = set(flags['fulcio-auth-flow']) as LoginFlow | undefined;
  const clientSecret =
    secretFile === undefined
      ? undefined
      : new TextDecoder()
          .decode(await readFile(secretFile, { cwd: context.cwd, what: 'client secret', maxBytes: MAX_SECRET_BYTES }))
          .trim();
  const somebody = context.canPrompt || flow !== undefined;
  return {
    issuer,
    ...(flow === undefined ? {} : { flow }),
    ...(clientSecret === undefined ? {} : { clientSecret }),
    ...(redirectUrl === undefined ? {} : { redirectUrl }),
    ...(somebody ? { interaction: { tell: (text) => tell(context, text), ...browser(context) } } : {}),
  };
}

/** Where `login` keeps a login; `undefined` where there is no folder of the user. */
export function keptLoginFile({ env }: Pick<CommandContext, 'env'>): string | undefined {
  const home = env['HOME'] ?? env['USERPROFILE'] ?? '';
  const config = env['XDG_CONFIG_HOME'] ?? '';
  if (config !== '') return join(config, 'bulla', 'login.json');
  return home === '' ? undefined : join(home, '.config', 'bulla', 'login.json');
}

/** Asks before something is kept for ever that says who one is. @throws CliError `declined` */
export async function consent(context: CommandContext, logs: readonly string[], answerable: boolean): Promise<void> {
  context.stderr(
    [
      `What is sealed now is written, with the identity or key that seals it, where it cannot be removed: ${logs.map(printable).join(', ')}`,
      "By typing 'y', you attest that you are not submitting the personal data of any other person.",
      '',
    ].join('\n'),
  );
  const hint = '--yes asks nothing';
  if (!answerable) throw new CliError('declined', 'nobody is there to be asked', { hint });
  if (await context.askYesNo('Are you sure you would like to continue?')) return;
  throw new CliError('declined', 'user declined the prompt', { hint });
}

function tell(context: CommandContext, text: string): void {
  context.stderr(`${text.split('\n').map(printable).join('\n')}\n`);
}

/** A path in a flag is one from where the command runs; a token stays as it is. */
function fromHere(context: CommandContext, given: string): string {
  const path = given.trim();
  const relative = !path.startsWith('/') && !path.startsWith('eyJ') && !path.includes('\0') && path.length < 4096;
  return relative && path !== '' ? join(context.cwd, path) : given;
}

/** A browser, where there is a screen to show one on. */
function browser(context: CommandContext): { readonly openBrowser?: (url: URL) => Promise<void> } {
  const screen = (context.env['DISPLAY'] ?? '') !== '' || (context.env['WAYLAND_DISPLAY'] ?? '') !== '';
  const opener =
    process.platform === 'darwin' ? 'open' : process.platform === 'linux' && screen ? 'xdg-open' : undefined;
  if (opener === undefined || !context.canPrompt) return {};
  return {
    openBrowser: async (url) => {
      const { spawn } = await import('node:child_process');
      await new Promise<void>((resolve, reject) => {
        const child = spawn(opener, [url.href], { env: context.env, stdio: 'ignore', detached: true });
        child.once('error', reject);
        child.once('spawn', () => {
          child.unref();
          resolve();
        });
      });
    },
  };
}

function set(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
