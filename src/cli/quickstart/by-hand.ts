// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { DEMO, GATED, PASSWORD, type Scene } from './scene.ts';

/** The commands for trying it by hand, with this registry and this key, ready to be pasted. */
export function byHand({ folder, host }: Pick<Scene, 'folder' | 'host'>): string {
  const image = `${host}/${DEMO.repository}:${DEMO.tag}`;
  const pub = join(folder, 'cosign.pub');
  const key = join(folder, 'cosign.key');
  const policy = join(folder, GATED.policy);
  const lock = join(folder, GATED.lock);
  return `Try it by hand, in another terminal:

  with bulla (bin/bulla in the checkout)
    bin/bulla verify --key ${pub} ${image}
    bin/bulla tree ${image}
    bin/bulla image pack docs ${host}/my/docs:1
    COSIGN_PASSWORD=${PASSWORD} bin/bulla sign --key ${key} ${host}/my/docs:1
    bin/bulla verify --key ${pub} --json ${host}/my/docs:1

  at the gates
    bin/bulla check --policy ${policy} -f ${folder}/deploy -f ${folder}/drafts
    bin/bulla pin --policy ${policy} --lock ${lock} --check
    bin/bulla pin --policy ${policy} --lock ${lock} --dry-run ${folder}/deploy ${folder}/drafts

  with podman or docker
    podman pull --tls-verify=false ${image}
    docker pull ${image}

  with the real cosign
    cosign verify --key ${pub} --insecure-ignore-tlog ${image}
    COSIGN_PASSWORD=${PASSWORD} cosign sign --key ${key} --tlog-upload=false --use-signing-config=false ${host}/my/docs:1

  (cosign 2 has no --use-signing-config: leave it out there.)`;
}
