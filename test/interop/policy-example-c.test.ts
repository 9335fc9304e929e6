// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Lab } from './lab.ts';
import { examplePolicy, explain, policyFile } from './policy-lab.ts';

// Example C: a catch-all that warns, and an allowance. Nothing is asked of anybody: these registries are out in the world.

const lab = new Lab();
after(() => lab.close());

const flags = ['--no-network', '--policy', policyFile(lab, examplePolicy('no-dockerhub'))];
const DIGEST = `sha256:${'0'.repeat(64)}`;

for (const image of ['nginx', 'nginx:1.27', 'docker.io/acme/app:1', `index.docker.io/library/nginx@${DIGEST}`])
  test(`${image} is let through with the warning of the policy`, async () => {
    const judged = await explain(lab, image, flags);
    assert.deepEqual([judged.outcome, judged.exitCode], ['trusted', 0]);
    assert.deepEqual(judged.policyWarnings, ['no-dockerhub: never: use registry.example.com/mirror']);
    assert.deepEqual(
      judged.policies.map(({ policy, code }) => `${policy} ${code}`),
      ['no-dockerhub static-fail'],
    );
  });

for (const image of ['registry.k8s.io/pause:3.10', `registry.k8s.io/a/b@${DIGEST}`])
  test(`${image} is allowed without a warning`, async () => {
    const judged = await explain(lab, image, flags);
    assert.deepEqual([judged.outcome, judged.code, judged.policyWarnings], ['trusted', 'met', []]);
  });

test('an image that neither is about is denied, and in enforce mode one of the hub too', async () => {
  const other = await explain(lab, 'registry.k8s.io.example/pause:3.10', flags);
  assert.deepEqual([other.outcome, other.code], ['refused', 'no-policy-matches']);
  const enforced = policyFile(lab, examplePolicy('no-dockerhub').replace('mode: warn', 'mode: enforce'));
  const hub = await explain(lab, 'nginx', ['--no-network', '--policy', enforced]);
  assert.deepEqual([hub.outcome, hub.policies[0]?.code, hub.policyWarnings], ['refused', 'static-fail', []]);
});
