// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe } from 'node:test';
import { interop, type ClientRun } from './clients.ts';
import {
  attested,
  demand,
  initialized,
  oneStack,
  PREDICATE,
  refused,
  serviceFlags,
  wrongDemands,
  writeIn,
  type Ready,
} from './keyless.ts';
import { BULLA, elementsOf, Lab, pushImages, SINGLE, succeed, type LabStack } from './lab.ts';

// cosign 2, cosign 3 and bulla verify what the others sealed against one `bulla up`; each was told of it once, by `initialize`.

const lab = new Lab();
after(() => lab.close());
const ready = oneStack(lab);
const CLIENTS = ['cosign-2', 'cosign-3'] as const;

/** A program, in a home of its own. */
interface Client {
  readonly program: string;
  readonly home: string;
}

/** Those who take part. */
interface Party extends Ready {
  readonly two: Client;
  readonly three: Client;
  readonly bulla: Client;
}
type Name = 'two' | 'three' | 'bulla';
const NAMES = ['two', 'three', 'bulla'] as const;

let gathered: Promise<Party> | undefined;
async function gather(cosign2: string, cosign3: string): Promise<Party> {
  const { stack, token } = await ready();
  const welcome = async (program: string): Promise<Client> => ({
    program,
    home: await initialized(lab, stack, program),
  });
  return { stack, token, two: await welcome(cosign2), three: await welcome(cosign3), bulla: await welcome(BULLA) };
}

/** Runs a client in its home; its token is there for those who sign. */
function run(party: Party, name: Name, args: readonly string[]): Promise<ClientRun> {
  const { program, home } = party[name];
  return lab.run(program, args, { home, env: { SIGSTORE_ID_TOKEN: party.token } });
}

async function seal(party: Party, name: Name, args: readonly string[]): Promise<ClientRun> {
  const { program, home } = party[name];
  return succeed(program, args, home, { SIGSTORE_ID_TOKEN: party.token });
}

/** A thing that somebody sealed, and who can read the seal. */
interface Case<Thing> {
  readonly by: Name;
  readonly seal: (stack: LabStack, thing: Thing) => readonly string[];
  readonly read: { readonly [N in Name]?: (stack: LabStack, thing: Thing) => readonly string[] };
}

/** Everybody who can read a seal accepts it from whom it is, and from nobody else. */
async function check<Thing>(party: Party, made: Case<Thing>, thing: Thing, accepted: (run: ClientRun) => void) {
  const { stack } = party;
  await seal(party, made.by, made.seal(stack, thing));
  const reads = NAMES.map(async (name) => {
    const args = made.read[name]?.(stack, thing);
    if (args === undefined) return;
    const [command = '', ...rest] = args;
    const good = await run(party, name, [command, ...demand(stack), ...rest]);
    assert.equal(good.code, 0, `${name}: ${good.stderr}`);
    accepted(good);
    const [wrong = []] = wrongDemands(stack);
    const reason = name === 'bulla' ? /\[identity-subject-mismatch\]/ : WRONG_IDENTITY;
    refused(await run(party, name, [command, ...wrong, ...rest]), reason);
  });
  await Promise.all(reads); // each in a home of its own
}

const WRONG_IDENTITY = /none of the expected identities|no matching CertificateIdentity/;
const OLD_FORMAT = '--new-bundle-format=false';
const NEW_FORMAT = '--new-bundle-format';
const byUrls = (stack: LabStack): readonly string[] => ['--use-signing-config=false', ...serviceFlags(stack)];
const stampBy = ({ endpoints }: LabStack): readonly string[] => ['--timestamp-server-url', endpoints.tsa];
const rekor = ({ endpoints }: LabStack): readonly string[] => ['--rekor-url', endpoints.rekor];
const root = ({ endpoints }: LabStack): readonly string[] => ['--trusted-root', endpoints.trustedRoot];

const readImages = {
  two: (stack: LabStack, image: string) => ['verify', ...rekor(stack), image],
  three: (_: LabStack, image: string) => ['verify', image],
  threeOld: (_: LabStack, image: string) => ['verify', OLD_FORMAT, image],
  bulla: (stack: LabStack, image: string) => ['verify', ...root(stack), image],
};

const IMAGES: Readonly<Record<string, Case<string>>> = {
  'cosign 2': {
    by: 'two',
    seal: (stack, image) => ['sign', '--yes', ...serviceFlags(stack), image],
    read: { two: readImages.two, three: readImages.three, bulla: readImages.bulla },
  },
  'cosign 2, with a timestamp': {
    by: 'two',
    seal: (stack, image) => ['sign', '--yes', ...serviceFlags(stack), ...stampBy(stack), image],
    read: {
      two: (stack, image) => ['verify', '--use-signed-timestamps', ...rekor(stack), image],
      three: (_, image) => ['verify', '--use-signed-timestamps', image],
      bulla: (stack, image) => ['verify', '--use-signed-timestamps', ...root(stack), image],
    },
  },
  'cosign 3': {
    by: 'three',
    seal: (_, image) => ['sign', '--yes', image],
    read: { three: readImages.three, bulla: readImages.bulla },
  },
  "cosign 3, in cosign 2's format": {
    by: 'three',
    seal: (stack, image) => ['sign', '--yes', OLD_FORMAT, ...byUrls(stack), image],
    read: { two: readImages.two, three: readImages.three, bulla: readImages.bulla },
  },
  bulla: {
    by: 'bulla',
    seal: (_, image) => ['sign', '--yes', image],
    read: { three: readImages.three, bulla: readImages.bulla },
  },
  "bulla, in cosign 2's format": {
    by: 'bulla',
    seal: (_, image) => ['sign', '--yes', '--format', 'legacy', image],
    read: { two: readImages.two, three: readImages.threeOld, bulla: readImages.bulla },
  },
  'bulla, in both formats': {
    by: 'bulla',
    seal: (_, image) => ['sign', '--yes', '--format', 'both', image],
    read: { two: readImages.two, three: readImages.three, bulla: readImages.bulla },
  },
  'bulla, by service URLs': {
    by: 'bulla',
    seal: (stack, image) => ['sign', '--yes', ...serviceFlags(stack), ...root(stack), '--format', 'both', image],
    read: { two: readImages.two, three: readImages.three, bulla: readImages.bulla },
  },
};

describe('an image', () => {
  for (const [index, [title, made]] of Object.entries(IMAGES).entries())
    interop(`sealed by ${title}: the others verify it`, CLIENTS, async ([cosign2, cosign3]) => {
      const party = await (gathered ??= gather(cosign2, cosign3));
      const image = `${await pushImages(party.stack, `each/other/i${index}`)}@${SINGLE}`;
      await check(party, made, image, (good) => {
        for (const { critical } of elementsOf(good)) assert.equal(critical.image['docker-manifest-digest'], SINGLE);
      });
      if (made.read.two === undefined)
        assert.equal((await run(party, 'two', ['verify', ...demand(party.stack), image])).code, 10);
    });
});

/** A file, and where its seal goes. */
interface Blob {
  readonly path: string;
  readonly bundle: readonly string[];
  /** for formats that keep a timestamp apart */
  readonly stamp: readonly string[];
}

const BLOBS: Readonly<Record<string, Case<Blob>>> = {
  'cosign 2': {
    by: 'two',
    seal: (stack, { path, bundle }) => ['sign-blob', '--yes', ...serviceFlags(stack), ...bundle, path],
    read: {
      two: (stack, { path, bundle }) => ['verify-blob', ...rekor(stack), ...bundle, path],
      three: (_, { path, bundle }) => ['verify-blob', OLD_FORMAT, ...bundle, path],
      bulla: (stack, { path, bundle }) => ['verify-blob', ...root(stack), ...bundle, path],
    },
  },
  'cosign 2, as a bundle': {
    by: 'two',
    seal: (stack, { path, bundle }) => ['sign-blob', '--yes', NEW_FORMAT, ...serviceFlags(stack), ...bundle, path],
    read: {
      two: (stack, { path, bundle }) => ['verify-blob', NEW_FORMAT, ...root(stack), ...bundle, path],
      three: (_, { path, bundle }) => ['verify-blob', ...bundle, path],
      bulla: (stack, { path, bundle }) => ['verify-blob', ...root(stack), ...bundle, path],
    },
  },
  'cosign 3': {
    by: 'three',
    seal: (_, { path, bundle }) => ['sign-blob', '--yes', ...bundle, path],
    read: {
      three: (_, { path, bundle }) => ['verify-blob', ...bundle, path],
      bulla: (stack, { path, bundle }) => ['verify-blob', ...root(stack), ...bundle, path],
    },
  },
  'cosign 3, in Rekor v1': {
    by: 'three',
    seal: (stack, { path, bundle }) => ['sign-blob', '--yes', ...byUrls(stack), ...bundle, path],
    read: {
      two: (stack, { path, bundle }) => ['verify-blob', NEW_FORMAT, ...root(stack), ...bundle, path],
      bulla: (stack, { path, bundle }) => ['verify-blob', ...root(stack), ...bundle, path],
    },
  },
  bulla: {
    by: 'bulla',
    seal: (_, { path, bundle }) => ['sign-blob', '--yes', ...bundle, path],
    read: {
      three: (_, { path, bundle }) => ['verify-blob', ...bundle, path],
      bulla: (stack, { path, bundle }) => ['verify-blob', ...root(stack), ...bundle, path],
    },
  },
  'bulla, in Rekor v1': {
    by: 'bulla',
    seal: (stack, { path, bundle }) => ['sign-blob', '--yes', ...serviceFlags(stack), ...root(stack), ...bundle, path],
    read: {
      two: (stack, { path, bundle }) => ['verify-blob', NEW_FORMAT, ...root(stack), ...bundle, path],
      three: (_, { path, bundle }) => ['verify-blob', ...bundle, path],
    },
  },
  "bulla, in cosign 2's format": {
    by: 'bulla',
    seal: (_, { path, bundle, stamp }) => ['sign-blob', '--yes', OLD_FORMAT, ...bundle, ...stamp, path],
    read: {
      two: (stack, { path, bundle, stamp }) => {
        return ['verify-blob', '--use-signed-timestamps', ...rekor(stack), ...bundle, ...stamp, path];
      },
      three: (_, { path, bundle }) => ['verify-blob', OLD_FORMAT, ...bundle, path],
      bulla: (stack, { path, bundle, stamp }) => {
        return ['verify-blob', '--use-signed-timestamps', ...root(stack), ...bundle, ...stamp, path];
      },
    },
  },
  "bulla, in cosign 2's format without a timestamp": {
    by: 'bulla',
    seal: (_, { path, bundle }) => ['sign-blob', '--yes', OLD_FORMAT, ...bundle, path],
    read: {
      two: (stack, { path, bundle }) => ['verify-blob', ...rekor(stack), ...bundle, path],
      three: (_, { path, bundle }) => ['verify-blob', OLD_FORMAT, ...bundle, path],
      bulla: (stack, { path, bundle }) => ['verify-blob', ...root(stack), ...bundle, path],
    },
  },
};

describe('a file', () => {
  for (const [title, made] of Object.entries(BLOBS))
    interop(`sealed by ${title}: the others verify it`, CLIENTS, async ([cosign2, cosign3]) => {
      const party = await (gathered ??= gather(cosign2, cosign3));
      const folder = lab.folder();
      const blob = {
        path: writeIn(folder, 'blob', `${title}\n`),
        bundle: ['--bundle', join(folder, 'seal.json')],
        stamp: ['--rfc3161-timestamp', join(folder, 'seal.tsr')],
      };
      await check(party, made, blob, ({ stderr }) => assert.match(stderr, /^Verified OK$/m));
    });
});

interop('bulla refuses what cosign sealed by a token of another issuer than is demanded', CLIENTS, async (programs) => {
  const party = await (gathered ??= gather(...programs));
  const { stack } = party;
  const path = writeIn(lab.folder(), 'blob', 'whose?\n');
  const bundle = ['--bundle', `${path}.sigstore.json`];
  await seal(party, 'three', ['sign-blob', '--yes', ...bundle, path]);
  const [, wrong = []] = wrongDemands(stack);
  const refusal = await run(party, 'bulla', ['verify-blob', ...root(stack), ...wrong, ...bundle, path]);
  assert.equal(refusal.code, 12);
  refused(refusal, /\[identity-issuer-mismatch\]/);
});

const PREDICATE_FLAGS = ['--type', PREDICATE];
const attest = (stack: LabStack, image: string): readonly string[] => {
  const predicate = writeIn(lab.folder(), 'predicate.json', '{"a":1}');
  return [...serviceFlags(stack), ...PREDICATE_FLAGS, '--predicate', predicate, image];
};
const readAttestation = (_: LabStack, image: string) => ['verify-attestation', ...PREDICATE_FLAGS, image];

const ATTESTATIONS: Readonly<Record<string, Case<string>>> = {
  'cosign 2': {
    by: 'two',
    seal: (stack, image) => ['attest', '--yes', ...attest(stack, image)],
    read: { two: readAttestation, three: readAttestation },
  },
  "cosign 3, in cosign 2's format": {
    by: 'three',
    seal: (stack, image) => ['attest', '--yes', OLD_FORMAT, '--use-signing-config=false', ...attest(stack, image)],
    read: { two: readAttestation, three: readAttestation },
  },
};

describe('an attestation', () => {
  for (const [index, [title, made]] of Object.entries(ATTESTATIONS).entries())
    interop(`made by ${title}: the other verifies it`, CLIENTS, async ([cosign2, cosign3]) => {
      const party = await (gathered ??= gather(cosign2, cosign3));
      const image = `${await pushImages(party.stack, `each/other/a${index}`)}@${SINGLE}`;
      await check(party, made, image, (good) => assert.deepEqual(attested(good), [SINGLE]));
    });
});
