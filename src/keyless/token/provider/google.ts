// SPDX-License-Identifier: Apache-2.0
import { KeylessError } from '../../error.ts';
import { askForToken, RefusedStatus, type TokenQuestion } from './ask-for-token.ts';
import { checkCredential } from './token-server-url.ts';
import { variable, type Surroundings, type TokenProvider } from './token-provider.ts';

// The address, and not the name: no name server and no variable can put another server in its place.
const METADATA = 'http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/';
const CREDENTIALS = 'https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/';
const FLAVOR = 'metadata-flavor';
const MACHINES = /^Google(?: Compute Engine)?$/;
const ACCOUNT_VARIABLE = 'GOOGLE_SERVICE_ACCOUNT_NAME';
/** The metadata server is beside us, or it is walled off. */
const METADATA_PATIENCE_MS = 5000;

/**
 * The service account of a machine, pod or service at Google.
 * @see https://cloud.google.com/compute/docs/instances/verifying-instance-identity
 */
export const googleWorkloadIdentity: TokenProvider = {
  name: 'google-workload-identity',
  async find(surroundings) {
    const { clientId, chosen, paths } = surroundings;
    if (!chosen && !MACHINES.test(await readMachine(paths.machine))) {
      return { kind: 'none', why: `${paths.machine} does not say that this is a machine of Google's` };
    }
    const url = new URL(`identity?audience=${encodeURIComponent(clientId)}&format=full`, METADATA);
    try {
      const text = await askForToken(metadataQuestion(url), hasty(surroundings));
      return { kind: 'token', text, from: "Google's metadata server" };
    } catch (error) {
      // Many clusters wall it off, and many machines have no account. Only who asked for it by name needs it.
      const none = error instanceof KeylessError && (error.code === 'token-unavailable' || hasNoAccount(error));
      if (!none || chosen) throw error;
      return { kind: 'none', why: error.message };
    }
  },
};

/**
 * Another service account at Google, which the machine's own may act as.
 * @see https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateIdToken
 */
export const googleImpersonate: TokenProvider = {
  name: 'google-impersonate',
  async find(surroundings) {
    const account = variable(surroundings.environment, ACCOUNT_VARIABLE);
    if (account === undefined) return { kind: 'none', why: `${ACCOUNT_VARIABLE} is not set` };
    if (!/^[A-Za-z0-9.@:_-]{1,256}$/.test(account) || /^\.+$/.test(account)) {
      throw new KeylessError('setting-malformed', `${ACCOUNT_VARIABLE} is not the name of a service account`);
    }
    const access = await askForToken(
      { ...metadataQuestion(new URL('token', METADATA)), member: 'access_token' },
      hasty(surroundings),
    );
    const text = await askForToken(
      {
        who: `Google's credentials service for ${account}`,
        method: 'POST',
        url: new URL(`${encodeURIComponent(account)}:generateIdToken`, CREDENTIALS),
        headers: { authorization: `Bearer ${checkCredential(access, 'the access token of the metadata server')}` },
        body: { audience: surroundings.clientId, includeEmail: true },
        member: 'token',
        secrets: [access],
        remedy: "the machine's own account needs the role roles/iam.serviceAccountOpenIdTokenCreator on it",
      },
      surroundings,
    );
    return { kind: 'token', text, from: `Google, for ${account}` };
  },
};

function metadataQuestion(url: URL): TokenQuestion {
  return {
    who: "Google's metadata server",
    method: 'GET',
    url,
    headers: { [FLAVOR]: 'Google' },
    secrets: [],
    accept: ({ headers }) => {
      if (headers[FLAVOR] === 'Google') return;
      throw new KeylessError(
        'token-unavailable',
        `what answers at ${url.host} is not Google's metadata server (no header '${FLAVOR}: Google')`,
      );
    },
  };
}

function hasNoAccount(error: KeylessError): boolean {
  return error.cause instanceof RefusedStatus && error.cause.status === 404;
}

function hasty(surroundings: Surroundings): Surroundings {
  const latest = surroundings.client.clock.now() + METADATA_PATIENCE_MS;
  return { ...surroundings, deadline: Math.min(surroundings.deadline, latest) };
}

async function readMachine(path: string): Promise<string> {
  try {
    const text = await process.getBuiltinModule('node:fs').promises.readFile(path, 'utf8');
    return text.trim();
  } catch {
    return ''; // elsewhere there is no such file
  }
}
