// SPDX-License-Identifier: Apache-2.0
import { repositoryContract, type OpenedRepository } from '../repository.contract.ts';
import { startRegistry, type RegistryTraits } from './registry.fixture.ts';
import { RemoteRegistry } from './remote-repository.ts';
import type { RemoteOptions } from './options.ts';

function opener(traits: RegistryTraits, options: RemoteOptions = {}): () => Promise<OpenedRepository> {
  return async () => {
    const server = await startRegistry(traits);
    const registry = new RemoteRegistry(server.host, { credentials: 'anonymous', ...options });
    return {
      repository: registry.repository('team/app'),
      neighbour: registry.repository('team/other'),
      close: async () => {
        await registry.close();
        await server[Symbol.asyncDispose]();
      },
    };
  };
}

const COMPLETE = { honoursExpect: true, raceSafe: true, deletesManifests: true, deletesTags: true };

repositoryContract('a remote registry with a referrers API', opener({}), COMPLETE);
repositoryContract(
  'a remote registry with fallback tags and If-Match',
  opener({ referrersApi: false, singlePost: false }),
  COMPLETE,
);
repositoryContract(
  'a remote registry with fallback tags that knows no conditions, in chunks',
  opener({ referrersApi: false, conditions: false, singlePost: false }, { upload: 'chunked', random: () => 0.01 }),
  { ...COMPLETE, honoursExpect: false, raceSafe: false },
);
