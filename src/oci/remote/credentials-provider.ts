// SPDX-License-Identifier: Apache-2.0
import type { Credentials, CredentialsProvider } from '../credentials/credentials.ts';
import type { RemoteOptions } from './options.ts';

/** Who is asked for credentials, as the options say; docker's and podman's files are looked at when a registry asks, not before. */
export function credentialsProvider({ credentials, environment }: RemoteOptions): CredentialsProvider {
  if (credentials === 'anonymous') return () => Promise.resolve<Credentials | undefined>(undefined);
  if (credentials !== undefined) return credentials;
  return async (registry, repository) => {
    const { findCredentials } = await import('../credentials/find-credentials.ts');
    return findCredentials(registry, { repository, ...(environment === undefined ? {} : { environment }) });
  };
}
