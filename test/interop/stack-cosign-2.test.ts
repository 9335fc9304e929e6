// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe } from 'node:test';
import { interop } from './clients.ts';
import {
  announcedVariables,
  attested,
  demand,
  initialized,
  oneStack,
  PREDICATE,
  refused,
  serviceFlags,
  wrongDemands,
  writeIn,
} from './keyless.ts';
import { elementsOf, Lab, MULTI, pushImages, SINGLE, succeed, type LabStack } from './lab.ts';

// cosign 2.5 against `bulla up`, which it trusts by its home or by the variables that `up` prints; services are always flags.

const lab = new Lab();
after(() => lab.close());
const ready = oneStack(lab);

/** How cosign trusts the stack. */
interface Trust {
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
}

const WAYS: Readonly<Record<string, (stack: LabStack, cosign: string) => Promise<Trust>>> = {
  initialize: async (stack, cosign) => ({ home: await initialized(lab, stack, cosign), env: {} }),
  variables: async (stack) => ({ home: lab.folder(), env: await announcedVariables(stack) }),
};

const WRONG_IDENTITY = /none of the expected identities matched what was in the certificate/;

for (const [title, tell] of Object.entries(WAYS))
  for (const stamped of [false, true]) {
    describe(`cosign 2 by ${title}${stamped ? ', with timestamps' : ''}`, () => {
      const name = `c2/${title}/${stamped ? 'with' : 'without'}-timestamps`;

      /** What all commands of one test share. */
      const prepare = async (cosign: string) => {
        const { stack, token } = await ready();
        const { home, env } = await tell(stack, cosign);
        const stamp = stamped ? ['--timestamp-server-url', stack.endpoints.tsa] : [];
        return {
          stack,
          home,
          sign: (command: string, ...args: readonly string[]) => {
            const services = [...serviceFlags(stack), ...stamp];
            return succeed(cosign, [command, '--yes', '--identity-token', token, ...services, ...args], home, env);
          },
          verify: (command: string, ...args: readonly string[]) => {
            const flags = ['--rekor-url', stack.endpoints.rekor, ...(stamped ? ['--use-signed-timestamps'] : [])];
            return lab.run(cosign, [command, ...flags, ...args], { home, env });
          },
        };
      };

      interop('signs and verifies an image', ['cosign-2'], async ([cosign]) => {
        const { stack, sign, verify } = await prepare(cosign);
        const repository = await pushImages(stack, name);
        const image = `${repository}@${SINGLE}`;
        await sign('sign', image);
        const run = await verify('verify', ...demand(stack), image);
        assert.equal(run.code, 0, run.stderr);
        assert.deepEqual(
          elementsOf(run).map(({ critical }) => critical.image['docker-manifest-digest']),
          [SINGLE],
        );
        assert.equal(elementsOf(run)[0]?.optional?.['RFC3161Timestamp'] !== undefined, stamped);
        for (const wrong of wrongDemands(stack)) refused(await verify('verify', ...wrong, image), WRONG_IDENTITY);
        const unsigned = await verify('verify', ...demand(stack), `${repository}@${MULTI}`);
        assert.equal(unsigned.code, 10, unsigned.stderr);
      });

      interop('attests an image and verifies that', ['cosign-2'], async ([cosign]) => {
        const { stack, home, sign, verify } = await prepare(cosign);
        const image = `${await pushImages(stack, `${name}/attested`)}@${SINGLE}`;
        const about = ['--type', PREDICATE];
        await sign('attest', ...about, '--predicate', writeIn(home, 'predicate.json', '{"a":1}'), image);
        const run = await verify('verify-attestation', ...about, ...demand(stack), image);
        assert.equal(run.code, 0, run.stderr);
        assert.deepEqual(attested(run), [SINGLE]);
        for (const wrong of wrongDemands(stack))
          refused(await verify('verify-attestation', ...about, ...wrong, image), WRONG_IDENTITY);
      });

      interop('signs and verifies a blob', ['cosign-2'], async ([cosign]) => {
        const { stack, home, sign, verify } = await prepare(cosign);
        const blob = writeIn(home, 'blob', 'a blob\n');
        const stamp = stamped ? ['--rfc3161-timestamp', join(home, 'blob.tsr')] : [];
        const files = ['--bundle', join(home, 'blob.bundle'), ...stamp];
        await sign('sign-blob', ...files, blob);
        const run = await verify('verify-blob', ...files, ...demand(stack), blob);
        assert.equal(run.code, 0, run.stderr);
        for (const wrong of wrongDemands(stack))
          refused(await verify('verify-blob', ...files, ...wrong, blob), WRONG_IDENTITY);
        const other = writeIn(home, 'other', 'another blob\n');
        refused(await verify('verify-blob', ...files, ...demand(stack), other), /matching bundle to payload/);
      });
    });
  }

interop('cosign 2 asks the log for the entry of a blob that has no bundle', ['cosign-2'], async ([cosign]) => {
  const { stack, token } = await ready();
  const home = await initialized(lab, stack, cosign);
  const blob = writeIn(home, 'blob', 'a blob without a bundle\n');
  const [signature, certificate] = [join(home, 'blob.sig'), join(home, 'blob.crt')];
  const outputs = ['--output-signature', signature, '--output-certificate', certificate];
  const sign = ['sign-blob', '--yes', '--identity-token', token, ...serviceFlags(stack)];
  await succeed(cosign, [...sign, ...outputs, blob], home);
  const inputs = ['--signature', signature, '--certificate', certificate];
  const verify = ['verify-blob', '--rekor-url', stack.endpoints.rekor, ...inputs, ...demand(stack), blob];
  await succeed(cosign, verify, home);
  // It was the log's: a signature that was kept out of it has no entry there.
  const [apart, chain] = [join(home, 'apart.sig'), join(home, 'apart.crt')];
  const kept = ['--tlog-upload=false', '--output-signature', apart, '--output-certificate', chain];
  await succeed(cosign, [...sign, ...kept, blob], home);
  const absent = ['verify-blob', '--rekor-url', stack.endpoints.rekor, '--signature', apart, '--certificate', chain];
  refused(
    await lab.run(cosign, [...absent, ...demand(stack), blob], { home }),
    /signature not found in transparency log/,
  );
});

interop(
  "cosign 2 writes a bundle by flags, and verifies it by the stack's trusted root",
  ['cosign-2'],
  async ([cosign]) => {
    const { stack, token } = await ready();
    const home = lab.folder();
    const blob = writeIn(home, 'blob', 'a blob\n');
    const bundle = ['--new-bundle-format', '--bundle', join(home, 'blob.sigstore.json')];
    const sign = ['sign-blob', '--yes', '--identity-token', token, ...serviceFlags(stack), ...bundle, blob];
    await succeed(cosign, sign, home, await announcedVariables(stack));
    const verify = ['verify-blob', '--trusted-root', stack.endpoints.trustedRoot, ...bundle];
    await succeed(cosign, [...verify, ...demand(stack), blob], home);
    for (const wrong of wrongDemands(stack))
      refused(await lab.run(cosign, [...verify, ...wrong, blob], { home }), /no matching CertificateIdentity found/);
  },
);
