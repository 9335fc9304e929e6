// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after } from 'node:test';
import { decodePublicKey, decodeTrustedRoot } from '../../src/trust/index.ts';
import { interop } from './clients.ts';
import { demand, initialized, oneStack, serviceFlags, wrongDemands, writeIn } from './keyless.ts';
import { BULLA, Lab, succeed } from './lab.ts';

// `bulla up --curve p384`: authorities with the curve that the public instance has. What clients seal against it they and the others verify, before
// and after its authorities get new keys.

const lab = new Lab();
after(() => lab.close());
const ready = oneStack(lab, ['--curve', 'p384']);

interop(
  'certificates and timestamps on P-384 are taken by everybody, also after a rotation',
  ['cosign-2', 'cosign-3'],
  async ([cosign2, cosign3]) => {
    const { stack, token } = await ready();
    const env = { SIGSTORE_ID_TOKEN: token };
    const homes = new Map<string, string>();
    for (const program of [cosign2, cosign3, BULLA]) homes.set(program, await initialized(lab, stack, program));
    const bundles: (readonly [program: string, blob: string, bundle: string])[] = [];
    const seal = async (name: string): Promise<void> => {
      for (const [program, home] of homes) {
        const blob = writeIn(home, name, `${name} by ${program}\n`);
        const services = program === cosign2 ? serviceFlags(stack) : [];
        await succeed(program, ['sign-blob', '--yes', ...services, '--bundle', `${blob}.json`, blob], home, env);
        bundles.push([program, blob, `${blob}.json`]);
      }
    };
    await seal('before');
    for (const role of ['ca', 'tsa']) {
      const { code, stderr } = await lab.bulla(['keys', 'rotate', '--data', stack.data, role]);
      assert.equal(code, 0, stderr);
    }
    for (const [program, home] of homes)
      await succeed(program, ['initialize', '--mirror', stack.endpoints.tuf, '--root', stack.endpoints.tufRoot], home);
    await seal('after');
    const { certificateAuthorities, timestampAuthorities } = decodeTrustedRoot(
      readFileSync(stack.endpoints.trustedRoot),
      'trusted_root.json',
    );
    for (const { chain } of certificateAuthorities)
      for (const { spki } of chain) assert.equal(decodePublicKey(spki, 'it').algorithm, 'ecdsa-p384');
    assert.deepEqual([certificateAuthorities.length, timestampAuthorities.length], [2, 2]);
    for (const [by, blob, bundle] of bundles)
      for (const [program, home] of homes) {
        // cosign 2 knows neither the form of the others' bundles nor the log of Rekor v2 in them, and cosign 3 not the form of its
        if (program !== BULLA && (program === cosign2) !== (by === cosign2)) continue;
        const verify = (demanded: readonly string[]) =>
          lab.run(program, ['verify-blob', ...demanded, '--bundle', bundle, blob], { home });
        const good = await verify(demand(stack));
        assert.equal(good.code, 0, `${program} verifies what ${by} sealed: ${good.stderr}`);
        const [wrong = []] = wrongDemands(stack);
        assert.notEqual((await verify(wrong)).code, 0);
      }
  },
);
