// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { openServiceClient, requireNetwork } from '../flags/service-client.ts';
import { SIGNING_FLAGS } from '../flags/signing.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';

const REGISTRY =
  "credentials of registries are written by 'docker login' or 'podman login', whose files are read; this logs a person in to seal";

/** `bulla login`: says who one is, once for several seals. */
export const command: Command = defineCommand({
  name: 'login',
  summary: 'Log in at an issuer, so that sign need not ask each time',
  description:
    'Logs in with a browser, or on another device, at the issuer that --oidc-issuer names, else that of the signing config; and keeps the identity token for the user until it expires. ' +
    'The token shows nowhere, and is not used where the surroundings have one.',
  usage: '[flags]',
  arguments: { min: 0, max: 1, name: 'server' },
  flags: {
    'oidc-issuer': SIGNING_FLAGS['oidc-issuer'],
    'oidc-client-id': SIGNING_FLAGS['oidc-client-id'],
    'oidc-client-secret-file': { ...SIGNING_FLAGS['oidc-client-secret-file'], hidden: false },
    'oidc-redirect-url': { ...SIGNING_FLAGS['oidc-redirect-url'], hidden: false },
    'fulcio-auth-flow': {
      ...SIGNING_FLAGS['fulcio-auth-flow'],
      choices: ['', 'normal', 'device', 'client_credentials'],
      help: 'how: normal (browser), device, client_credentials; browser where there is one, unless told',
    },
    'signing-config': { ...SIGNING_FLAGS['signing-config'], help: 'take the issuer from this signing config' },
    username: { kind: 'string', short: 'u', hidden: true, help: 'user of a registry', refused: REGISTRY },
    password: { kind: 'string', short: 'p', hidden: true, help: 'its password', refused: REGISTRY },
    'password-stdin': { kind: 'boolean', hidden: true, help: 'its password, piped in', refused: REGISTRY },
  },
  examples: ['bulla login --oidc-issuer https://idp.example.com', 'bulla login --fulcio-auth-flow device'],
  async run(context, [server], flags) {
    if (server !== undefined) throw new CliError('usage', `login takes no registry: ${REGISTRY}`);
    requireNetwork(context, 'an issuer is asked over the network');
    const { keepLogin, logIn } = await import('../../keyless/index.ts');
    const { keptLoginFile, loginSettings } = await import('../flags/identity-token.ts');
    const issuer = await issuerOf(context, flags['oidc-issuer'], flags['signing-config']);
    const place = keptLoginFile(context);
    if (place === undefined) throw new CliError('usage', 'there is no folder to keep a login in: HOME is not set');
    const clientId = flags['oidc-client-id'];
    const { token, flow } = await logIn(await loginSettings(context, flags, issuer), {
      client: openServiceClient(context),
      clientId,
      signal: context.signal,
    });
    await keepLogin(place, token, { issuer, clientId });
    if (context.json)
      writeJson(context, {
        subject: token.subject,
        email: token.email ?? null,
        issuer: token.issuer,
        flow,
        expiresAt: token.expiresAt.toISOString(),
        keptIn: place,
        warnings: context.warnings,
      });
    else
      context.stderr(
        `Logged in as ${printable(token.challenge)} (${printable(token.issuer)}) until ${token.expiresAt.toISOString()}; kept in ${printable(place)}\n`,
      );
    return EXIT.ok;
  },
});

async function issuerOf(context: CommandContext, given: string | undefined, file: string | undefined): Promise<string> {
  if (given !== undefined && given !== '') return given;
  const { chooseServices } = await import('../../trust/index.ts');
  const config =
    file === undefined || file === ''
      ? (await (await import('../flags/default-trust.ts')).loadInitializedTrust(context, 'identities'))?.signingConfig
      : await (await import('../flags/signing-config-file.ts')).readSigningConfig(context, file);
  const [provider] =
    config === undefined
      ? []
      : chooseServices(
          config.identityProviders,
          { kind: 'any' },
          { versions: [1], now: context.now(), what: 'identity provider' },
        );
  if (provider !== undefined) return provider.url;
  throw new CliError('usage', 'where to log in? give --oidc-issuer URL', {
    hint: `or fetch a signing config that names an issuer: ${context.program} initialize`,
  });
}
