// SPDX-License-Identifier: Apache-2.0
import { KeylessError } from '../../error.ts';
import { awaitCallback, parseRedirectUrl } from './callback-server.ts';
import { checkPage, connectIssuer, idTokenOf, loginFailure, SCOPE } from './issuer-connection.ts';
import type { LoginInteraction, LoginSettings, LoginSurroundings } from './login-settings.ts';

/**
 * Logs a person in with their browser: the authorization code flow, bound to this process by PKCE, `state` and `nonce`, answered to a
 * port of this machine.
 *
 * @returns the identity token
 * @throws KeylessError
 * @see https://www.rfc-editor.org/rfc/rfc8252 OAuth for native apps
 * @see https://www.rfc-editor.org/rfc/rfc7636 PKCE
 */
export async function browserLogin(
  settings: LoginSettings,
  interaction: LoginInteraction,
  surroundings: LoginSurroundings,
): Promise<string> {
  const wanted = parseRedirectUrl(settings.redirectUrl);
  const connection = await connectIssuer(settings, surroundings);
  const { oidc, configuration, name } = connection;
  const { authorization_endpoint: page, code_challenge_methods_supported: methods } = configuration.serverMetadata();
  if (page === undefined) throw new KeylessError('issuer-unusable', `${name} names no authorization endpoint`);
  checkPage(page, connection);
  if (methods !== undefined && !methods.includes('S256')) {
    throw new KeylessError(
      'issuer-unusable',
      `${name} does not speak PKCE with S256, without which a login can be stolen`,
    );
  }
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const nonce = oidc.randomNonce();
  const challenge = await oidc.calculatePKCECodeChallenge(verifier);
  const answered = await awaitCallback(wanted, state, surroundings, (redirectUrl) => {
    const url = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUrl.href,
      scope: SCOPE,
      code_challenge: challenge,
      code_challenge_method: 'S256',
      state,
      nonce,
    });
    sendToBrowser(url, interaction);
  });
  try {
    const answer = await oidc.authorizationCodeGrant(configuration, answered, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    });
    return idTokenOf(answer, name);
  } catch (error) {
    throw loginFailure(error, name, surroundings.signal);
  }
}

function sendToBrowser(url: URL, interaction: LoginInteraction): void {
  if (interaction.openBrowser === undefined) {
    interaction.tell(`Open this address in a browser on this machine:\n${url.href}\n`);
    return;
  }
  interaction.tell(`Your browser opens this address; open it yourself if it does not:\n${url.href}\n`);
  interaction.openBrowser(url).catch(() => {
    interaction.tell('No browser could be started: open the address yourself.\n');
  });
}
