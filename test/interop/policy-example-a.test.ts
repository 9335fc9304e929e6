// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { interop } from './clients.ts';
import { oneStack } from './keyless.ts';
import { Lab, MULTI, pushImages, SINGLE, type LabStack } from './lab.ts';
import { examplePolicy, explain, policyFile, SEALERS, type Judged } from './policy-lab.ts';

// Example A: one workflow, tags only. The images lie in a mirror of ghcr.io on loopback, and are called as upstream: nobody dials that.

const lab = new Lab();
after(() => lab.close());
const ready = oneStack(lab);

const WORKFLOW = 'https://github.com/acme/app/.github/workflows/release.yaml';
const RELEASE = `${WORKFLOW}@refs/tags/v1.4.2`;

/** Who seals, and what becomes of it. */
const IDENTITIES = {
  [RELEASE]: 'met',
  [`${WORKFLOW}@refs/heads/main`]: 'none-accepted identity-subject-mismatch',
  [`${WORKFLOW}@refs/tags/v1.4.2-rc1`]: 'none-accepted identity-subject-mismatch',
  [`${WORKFLOW.replace('acme/app', 'acme/other')}@refs/tags/v1.4.2`]: 'none-accepted identity-subject-mismatch',
  [`https://evil.example/?u=${RELEASE}`]: 'none-accepted identity-subject-mismatch',
} as const;

/** The example, told of the stack in the place of the public one; all else as it stands. */
function policyFor(stack: LabStack, change: (text: string) => string = (text) => text): readonly string[] {
  const text = examplePolicy('signed-by-release-workflow')
    .replace('https://token.actions.githubusercontent.com', stack.endpoints.issuer)
    .replace('https://rekor.sigstore.dev', stack.endpoints.rekor);
  const mirrors = [{ upstream: 'ghcr.io/acme', mirror: `${stack.host}/acme` }];
  const settings = {
    apiVersion: 'policy.bulla/v1alpha1',
    kind: 'PolicySettings',
    metadata: { name: 's' },
    spec: { mirrors },
  };
  const file = policyFile(lab, change(text), JSON.stringify(settings));
  return ['--policy', file, '--trusted-root', stack.endpoints.trustedRoot];
}

function said({ policies: [policy] }: Judged): string {
  const authority = policy?.authorities[0];
  return [authority?.code, authority?.nearest?.code].filter((word) => word !== undefined).join(' ');
}

for (const sealer of SEALERS) {
  const name = sealer.title.replaceAll(/\W+/g, '-');
  describe(`a signature by ${sealer.title}`, () => {
    for (const [subject, expected] of Object.entries(IDENTITIES))
      interop(`of ${subject}: ${expected}`, sealer.needs, async (programs) => {
        const { stack } = await ready();
        const path = `acme/${name}/${Object.keys(IDENTITIES).indexOf(subject)}`;
        const image = `${await pushImages(stack, path)}@${SINGLE}`;
        const token = await stack.token(subject);
        await sealer.byIdentity({ lab, stack, words: ['sign'], image, programs }, token);
        const judged = await explain(lab, `ghcr.io/${path}@${SINGLE}`, policyFor(stack));
        assert.equal(judged.outcome, expected === 'met' ? 'trusted' : 'refused', judged.message);
        assert.equal(said(judged), expected);
        if (expected === 'met') assert.equal(judged.policies[0]?.authorities[0]?.seals[0]?.format, sealer.format);
      });

    interop('is of one image, by one issuer, in the log that is named', sealer.needs, async (programs) => {
      const { stack } = await ready();
      const path = `acme/${name}/one`;
      const image = `${await pushImages(stack, path)}@${SINGLE}`;
      await sealer.byIdentity({ lab, stack, words: ['sign'], image, programs }, await stack.token(RELEASE));
      const one = `ghcr.io/${path}@${SINGLE}`;
      const of = async (called: string, flags: readonly string[]): Promise<string> => {
        const judged = await explain(lab, called, flags);
        return `${judged.outcome} ${said(judged)}`;
      };
      assert.equal(await of(`ghcr.io/${path}:single`, policyFor(stack)), 'trusted met', 'by tag');
      assert.equal(
        await of(`${stack.host}/${path}@${SINGLE}`, policyFor(stack)),
        'trusted met',
        "by the mirror's name",
      );
      assert.equal(await of(`ghcr.io/${path}@${MULTI}`, policyFor(stack)), 'refused nothing-found');
      const otherIssuer = policyFor(stack, (text) => text.replace(/issuer: .*/, 'issuer: https://issuer.example'));
      assert.equal(await of(one, otherIssuer), 'refused none-accepted identity-issuer-mismatch');
      const byFormat = (format: string): readonly string[] =>
        policyFor(stack, (text) => `${text}    signatureFormat: ${format}\n`);
      assert.equal(await of(one, byFormat(sealer.format)), 'trusted met');
      const other = sealer.format === 'bundle' ? 'legacy' : 'bundle';
      assert.equal(await of(one, byFormat(other)), 'refused nothing-found');
      const otherLog = policyFor(stack, (text) => text.replace(/ctlog: .*/, 'ctlog: {url: "https://log.example"}'));
      const run = await lab.bulla(['policy', 'explain', ...otherLog, one]);
      assert.deepEqual([run.code, run.stdout], [64, ''], 'a policy that no trusted root can serve is not loaded');
      assert.match(run.stderr, /authorities\[0\]\.ctlog: the trusted root lists no log at https:\/\/log\.example/);
    });
  });
}

interop('images of others are not what the example is about', [], async () => {
  const { stack } = await ready();
  const judged = await explain(lab, `ghcr.io/acmeist/app@${SINGLE}`, policyFor(stack));
  assert.equal(judged.code, 'no-policy-matches');
});
