// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { decodeTrustedRoot, type TrustedRoot } from '../../src/trust/index.ts';
import { interop } from './clients.ts';
import { announcedVariables, demand, DEVELOPER, oneStack, serviceFlags, wrongDemands, writeIn } from './keyless.ts';
import { BULLA, Lab, pushImages, SINGLE, succeed, type LabStack } from './lab.ts';

// `bulla keys rotate` gives a running stack new keys. Clients that were told of it before go on signing and verifying, and what they had
// signed before stays good. cosign 3 asks the TUF repository in every run, bulla when it seals and
// when it meets a key that it does not know; cosign 2 goes by what it has until it is told to ask.

const lab = new Lab();
after(() => lab.close());
const ready = oneStack(lab);
const CLIENTS = ['cosign-2', 'cosign-3'] as const;

/** What each rotation changes in the trusted root. */
const ROLES: Readonly<Record<string, (root: TrustedRoot) => number>> = {
  ca: ({ certificateAuthorities }) => certificateAuthorities.length,
  ctlog: ({ certificateLogs }) => certificateLogs.length,
  log: ({ logs }) => logs.length,
  tsa: ({ timestampAuthorities }) => timestampAuthorities.length,
};

/** Those of the repository's own keys and of the issuer change nothing there. */
const OTHERS = ['root', 'tuf-targets', 'tuf-snapshot', 'tuf-timestamp', 'issuer'] as const;
const ROTATIONS = [...Object.keys(ROLES), ...OTHERS];

/** A program and its home, which was told of the stack by its first root. */
interface Client {
  readonly program: string;
  readonly home: string;
  /** @param token one of before unless told */
  sign(blob: string, bundle: string, token?: string): Promise<void>;
  verify(blob: string, bundle: string, demanded: readonly string[]): Promise<number>;
  /** asks the TUF repository what is new, by the first root */
  refresh(): Promise<void>;
}

interface Party {
  readonly two: Client;
  readonly three: Client;
  readonly bulla: Client;
  /** all that was sealed so far */
  readonly sealed: { readonly by: Client; readonly blob: string; readonly bundle: string }[];
}

async function newClient(
  program: string,
  root: string,
  signFlags: (stack: LabStack) => readonly string[],
): Promise<Client> {
  const { stack, token } = await ready();
  const home = lab.folder();
  const refresh = async () => {
    await succeed(program, ['initialize', '--mirror', stack.endpoints.tuf, '--root', root], home);
  };
  await refresh();
  return {
    program,
    home,
    refresh,
    sign: async (blob, bundle, by = token) => {
      const args = ['sign-blob', '--yes', ...signFlags(stack), '--bundle', bundle, blob];
      await succeed(program, args, home, { SIGSTORE_ID_TOKEN: by });
    },
    verify: async (blob, bundle, demanded) =>
      (await lab.run(program, ['verify-blob', ...demanded, '--bundle', bundle, blob], { home })).code,
  };
}

let gathered: Promise<Party> | undefined;
async function gather(cosign2: string, cosign3: string): Promise<Party> {
  const { stack } = await ready();
  const root = join(lab.folder(), 'first-root.json');
  copyFileSync(stack.endpoints.tufRoot, root);
  const party = {
    two: await newClient(cosign2, root, serviceFlags),
    three: await newClient(cosign3, root, () => []),
    bulla: await newClient(BULLA, root, () => []),
    sealed: [],
  };
  await sealByAll(party, 'before');
  return party;
}

async function sealByAll(party: Party, name: string): Promise<void> {
  const made = await eachOf(party, async (by) => {
    const blob = writeIn(by.home, name, `${name}\n`);
    const bundle = `${blob}.bundle`;
    await by.sign(blob, bundle);
    return { by, blob, bundle };
  });
  party.sealed.push(...made);
}

/** All at once, each in its home, and one thing after the other there. */
async function eachOf<T>({ two, three, bulla }: Party, action: (client: Client) => Promise<T>): Promise<readonly T[]> {
  return Promise.all([two, three, bulla].map(action));
}

/** Everybody verifies what they sealed first and last. */
async function verifyOutermost(party: Party): Promise<void> {
  const { stack } = await ready();
  await eachOf(party, async (client) => {
    const own = party.sealed.filter(({ by }) => by === client);
    for (const { blob, bundle } of [...own.slice(0, 1), ...own.slice(-1)])
      assert.equal(await client.verify(blob, bundle, demand(stack)), 0, `${client.program} ${blob}`);
  });
}

function trustedRoot({ endpoints }: LabStack): TrustedRoot {
  return decodeTrustedRoot(readFileSync(endpoints.trustedRoot), 'trusted_root.json');
}

async function rotate(stack: LabStack, role: string): Promise<void> {
  const run = await lab.bulla(['keys', 'rotate', '--data', stack.data, role]);
  assert.equal(run.code, 0, run.stderr);
}

for (const role of ROTATIONS) {
  interop(
    `clients go on after the rotation of ${role}, and what they signed before stays good`,
    CLIENTS,
    async (programs) => {
      const { stack } = await ready();
      const party = await (gathered ??= gather(...programs));
      const count = ROLES[role];
      const before = trustedRoot(stack);
      await rotate(stack, role);
      if (count === undefined) assert.deepEqual(trustedRoot(stack), before);
      else assert.ok(count(trustedRoot(stack)) > count(before), `the trusted root names one more ${role}`);
      await party.two.refresh();
      await sealByAll(party, `after-${role}`);
      await verifyOutermost(party);
    },
  );
}

interop('newcomers verify what was signed at any time, for whom it is', CLIENTS, async ([cosign2, cosign3]) => {
  const { stack } = await ready();
  const party = await (gathered ??= gather(cosign2, cosign3));
  const root = stack.endpoints.tufRoot;
  const newcomers = {
    two: await newClient(cosign2, root, serviceFlags),
    three: await newClient(cosign3, root, () => []),
    bulla: await newClient(BULLA, root, () => []),
  };
  const all = (['two', 'three', 'bulla'] as const).map(async (name) => {
    const own = party.sealed.filter(({ by }) => by === party[name]);
    for (const { blob, bundle } of own)
      assert.equal(await newcomers[name].verify(blob, bundle, demand(stack)), 0, `${name} ${blob}`);
    const [wrong = []] = wrongDemands(stack);
    for (const { blob, bundle } of own.slice(0, 1))
      assert.notEqual(await newcomers[name].verify(blob, bundle, wrong), 0, `${name} ${blob}`);
  });
  await Promise.all(all);
});

interop('images that were signed before every rotation stay good', CLIENTS, async ([cosign2, cosign3]) => {
  const { stack, token } = await ready();
  const party = await (gathered ??= gather(cosign2, cosign3));
  const image = `${await pushImages(stack, 'rotated')}@${SINGLE}`;
  const env = { SIGSTORE_ID_TOKEN: token };
  await succeed(cosign2, ['sign', '--yes', ...serviceFlags(stack), image], party.two.home, env);
  await succeed(cosign3, ['sign', '--yes', image], party.three.home, env);
  for (const role of ROTATIONS) await rotate(stack, role);
  await party.two.refresh();
  await succeed(cosign2, ['verify', '--rekor-url', stack.endpoints.rekor, ...demand(stack), image], party.two.home);
  await succeed(cosign3, ['verify', ...demand(stack), image], party.three.home);
  const trust = ['--trusted-root', stack.endpoints.trustedRoot];
  await succeed(BULLA, ['verify', ...trust, ...demand(stack), image], party.bulla.home);
});

interop('tokens by the old key of the issuer and by the new one are taken', CLIENTS, async ([cosign2, cosign3]) => {
  const { stack, token: old } = await ready();
  const party = await (gathered ??= gather(cosign2, cosign3));
  await rotate(stack, 'issuer');
  const fresh = await stack.token(DEVELOPER);
  const keyOf = (token: string): string => Buffer.from(token.split('.')[0] ?? '', 'base64url').toString();
  assert.notEqual(keyOf(fresh), keyOf(old));
  for (const [name, token] of Object.entries({ old, fresh }))
    await eachOf(party, async (client) => {
      const blob = writeIn(client.home, `by-the-${name}-key`, `${name}\n`);
      await client.sign(blob, `${blob}.bundle`, token);
      assert.equal(await client.verify(blob, `${blob}.bundle`, demand(stack)), 0, `${client.program} ${name}`);
    });
});

// cosign 2 knows one certificate of a timestamp authority, the newest of its TUF repository: an older one it must be given.
interop(
  'cosign 2 verifies a timestamp of before a rotation by the chain of then',
  CLIENTS,
  async ([cosign2, cosign3]) => {
    const { stack, token } = await ready();
    const { two } = await (gathered ??= gather(cosign2, cosign3));
    await two.refresh();
    const blob = writeIn(two.home, 'stamped', 'stamped\n');
    const files = ['--bundle', `${blob}.bundle`, '--rfc3161-timestamp', `${blob}.tsr`];
    const stamp = ['--timestamp-server-url', stack.endpoints.tsa];
    const sign = ['sign-blob', '--yes', ...serviceFlags(stack), ...stamp, ...files, blob];
    await succeed(cosign2, sign, two.home, { SIGSTORE_ID_TOKEN: token });
    const { SIGSTORE_TSA_CERTIFICATE_FILE: chain = '' } = await announcedVariables(stack);
    const chainOfThen = join(two.home, 'tsa-of-then.pem');
    copyFileSync(chain, chainOfThen);
    await rotate(stack, 'tsa');
    assert.notDeepEqual(readFileSync(chain), readFileSync(chainOfThen));
    await two.refresh();
    const verify = ['verify-blob', ...demand(stack), ...files, '--timestamp-certificate-chain', chainOfThen, blob];
    await succeed(cosign2, verify, two.home);
  },
);

interop('bulla verifies seals and attestations by keys that it has not heard of, and asks once', [], async () => {
  const { stack, token } = await ready();
  const root = join(lab.folder(), 'root.json');
  copyFileSync(stack.endpoints.tufRoot, root);
  const [listener, other] = [await newClient(BULLA, root, () => []), await newClient(BULLA, root, () => [])];
  const image = `${await pushImages(stack, 'unheard')}@${SINGLE}`;
  await rotate(stack, 'ca');
  await rotate(stack, 'log');
  const signer = await newClient(BULLA, root, () => []);
  const env = { SIGSTORE_ID_TOKEN: token };
  await succeed(BULLA, ['sign', '--yes', image], signer.home, env);
  const predicate = writeIn(signer.home, 'predicate.json', '{"built":"by hand"}');
  const type = ['--type', 'https://example.com/built'];
  await succeed(BULLA, ['attest', '--yes', ...type, '--predicate', predicate, image], signer.home, env);
  const blob = writeIn(signer.home, 'file', 'of which something is attested\n');
  await succeed(BULLA, ['attest-blob', '--yes', ...type, '--predicate', predicate, blob], signer.home, env);
  await succeed(BULLA, ['verify-blob-attestation', ...type, ...demand(stack), blob], other.home);
  await succeed(BULLA, ['verify-attestation', ...type, ...demand(stack), image], listener.home);
  await succeed(BULLA, ['verify', ...demand(stack), image], listener.home);
});
