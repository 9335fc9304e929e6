// SPDX-License-Identifier: Apache-2.0
import type { DeviceAuthorizationResponse } from 'openid-client';
import { printable } from '../../../trust/index.ts';
import { KeylessError } from '../../error.ts';
import {
  checkPage,
  connectIssuer,
  idTokenOf,
  loginFailure,
  SCOPE,
  type IssuerConnection,
} from './issuer-connection.ts';
import type { LoginInteraction, LoginSettings, LoginSurroundings } from './login-settings.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const MAX_INTERVAL_S = 60;

/**
 * Logs a person in with a browser on any machine: they type a short code there, and we ask until they have. PKCE binds the answer to
 * this process, as cosign does it.
 *
 * @returns the identity token
 * @throws KeylessError
 * @see https://www.rfc-editor.org/rfc/rfc8628
 */
export async function deviceLogin(
  settings: LoginSettings,
  interaction: LoginInteraction,
  surroundings: LoginSurroundings,
): Promise<string> {
  const connection = await connectIssuer(settings, surroundings);
  const { oidc, configuration, name } = connection;
  if (configuration.serverMetadata().device_authorization_endpoint === undefined) {
    throw new KeylessError(
      'issuer-unusable',
      `${name} has no device flow (it names no device_authorization_endpoint): log in with a browser, or give a token`,
    );
  }
  const verifier = oidc.randomPKCECodeVerifier();
  try {
    const device = await oidc.initiateDeviceAuthorization(configuration, {
      scope: SCOPE,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    showCode(device, connection, interaction);
    return await poll(device, verifier, connection, surroundings);
  } catch (error) {
    throw loginFailure(error, name, surroundings.signal);
  }
}

function showCode(
  device: DeviceAuthorizationResponse,
  connection: IssuerConnection,
  interaction: LoginInteraction,
): void {
  const plain = checkPage(device.verification_uri, connection);
  const complete = device.verification_uri_complete;
  const page = complete === undefined ? plain : checkPage(complete, connection);
  const code = printable(device.user_code, 64);
  interaction.tell(
    `Open this address in a browser:\n${page.href}\nand confirm the code ${code} (valid for ${device.expires_in} seconds).\n`,
  );
}

async function poll(
  device: DeviceAuthorizationResponse,
  verifier: string,
  { oidc, configuration, name }: IssuerConnection,
  { client, deadline, signal }: LoginSurroundings,
): Promise<string> {
  const until = Math.min(deadline, client.clock.now() + device.expires_in * 1000);
  let interval = Math.min(device.interval ?? 5, MAX_INTERVAL_S);
  for (;;) {
    if (client.clock.now() + interval * 1000 >= until) {
      throw new KeylessError('login-timeout', `nobody confirmed the code at ${name} in time`);
    }
    await client.clock.sleep(interval * 1000, signal);
    try {
      const parameters = { device_code: device.device_code, code_verifier: verifier, scope: SCOPE };
      return idTokenOf(await oidc.genericGrantRequest(configuration, GRANT, parameters), name);
    } catch (error) {
      // section 3.5
      const code = error instanceof oidc.ResponseBodyError ? error.error : undefined;
      if (code === 'slow_down') interval = Math.min(interval + 5, MAX_INTERVAL_S);
      else if (code === 'expired_token') {
        throw new KeylessError('login-timeout', `nobody confirmed the code at ${name} in time`);
      } else if (code !== 'authorization_pending') throw error;
    }
  }
}
