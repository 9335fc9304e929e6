// SPDX-License-Identifier: Apache-2.0
import { AuthFile, findCredentials, RegistryError, type CredentialsProvider } from '../../oci/index.ts';
import type { KubernetesObject, PolicyFile } from '../../policy/index.ts';
import { isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import type { CommandContext } from '../context.ts';

const ENTRY = '.dockerconfigjson';
const MAX_BYTES = 1024 * 1024;

/**
 * Credentials out of Secrets that stand beside policies, for the repositories that policies name them for (`signaturePullSecrets`). Where none
 * of them knows the registry, or was given, those of docker's and podman's files count.
 *
 * @throws RegistryError `credentials-malformed` for a Secret that holds something else; no message shows what
 */
export async function pullSecretCredentials(
  context: Pick<CommandContext, 'env' | 'warn'>,
  files: readonly PolicyFile[],
  names: readonly string[],
): Promise<CredentialsProvider> {
  const { decodePolicyDocuments } = await import('../../policy/index.ts');
  const { objects } = await decodePolicyDocuments(files);
  const auths = names.flatMap((name): readonly AuthFile[] => {
    const secrets = objects.filter((one) => one.kind === 'Secret' && one.name === name && one.entries.has(ENTRY));
    if (secrets.length === 0)
      context.warn(`no Secret '${name}' with an entry ${ENTRY} was given: add its manifest to the files`);
    return secrets.map(authOf);
  });
  return async (registry, repository) => {
    for (const file of auths) {
      const found = file.credentials(registry, repository);
      if (found !== undefined) return found;
    }
    return findCredentials(registry, { repository, environment: context.env });
  };
}

function authOf({ name, entries }: KubernetesObject): AuthFile {
  const malformed = (): RegistryError =>
    new RegistryError(
      'credentials-malformed',
      `the Secret ${name} has an entry ${ENTRY} that is no docker configuration`,
    );
  let json: Json;
  try {
    json = parseJson(new TextEncoder().encode(entries.get(ENTRY)), { what: name, maxBytes: MAX_BYTES });
  } catch {
    throw malformed(); // the parser's own words would show how it begins
  }
  if (!isJsonObject(json)) throw malformed();
  // A Secret runs no program of ours: of helpers (credHelpers, credsStore) nothing is handed on.
  return new AuthFile(`the Secret ${name}`, { auths: json['auths'] ?? {} });
}
