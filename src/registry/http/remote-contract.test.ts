// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RemoteRegistry } from '../../oci/index.ts';
import { repositoryContract } from '../../oci/repository.contract.ts';
import { serveRegistry } from '../serve.ts';

for (const upload of ['monolithic', 'chunked'] as const) {
  repositoryContract(
    `our registry over HTTP, with ${upload} uploads,`,
    async () => {
      const data = await mkdtemp(join(tmpdir(), 'bulla-remote-'));
      const served = await serveRegistry({ data, port: 0 });
      const { host, port } = served.address;
      const remote = new RemoteRegistry(`${host}:${port}`, { credentials: 'anonymous', access: 'write', upload });
      return {
        repository: remote.repository('team/app'),
        neighbour: remote.repository('team/base'),
        close: async () => {
          await remote.close();
          await served.close();
          await rm(data, { recursive: true, force: true });
        },
      };
    },
    { honoursExpect: true, raceSafe: true, deletesManifests: true, deletesTags: true },
  );
}
