// SPDX-License-Identifier: Apache-2.0
import { KeylessError } from '../../error.ts';
import { connectIssuer, idTokenOf, loginFailure, SCOPE } from './issuer-connection.ts';
import type { LoginSettings, LoginSurroundings } from './login-settings.ts';

/**
 * Logs a program in, by its own secret.
 *
 * @returns the identity token
 * @throws KeylessError
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-4.4
 */
export async function clientCredentialsLogin(
  settings: LoginSettings,
  surroundings: LoginSurroundings,
): Promise<string> {
  if (settings.clientSecret === undefined) {
    throw new KeylessError('setting-malformed', 'the flow client_credentials needs the secret of the client');
  }
  const { oidc, configuration, name } = await connectIssuer(settings, surroundings);
  try {
    // not the library's own call for this grant, which does not check the signature of the identity token
    const answer = await oidc.genericGrantRequest(configuration, 'client_credentials', { scope: SCOPE });
    return idTokenOf(answer, name);
  } catch (error) {
    throw loginFailure(error, name, surroundings.signal);
  }
}
