// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe } from 'node:test';
import { GOLDEN } from '../golden/transcript.ts';
import { interop, type ClientRun } from './clients.ts';
import {
  attested,
  demand,
  initialized,
  oneStack,
  refused,
  serviceFlags,
  wrongDemands,
  writeIn,
  type Ready,
} from './keyless.ts';
import { ARM64, bothKinds, BULLA, keyFile, Lab, MULTI, pushImages, SINGLE, succeed, type LabStack } from './lab.ts';

// Attestations: what bulla makes both real cosigns verify, and the other way round, in both formats, by key and by identity.

const lab = new Lab();
after(() => lab.close());
const ready = oneStack(lab);

const KEY = keyFile('cosign.key');
const PUBLIC = keyFile('cosign.pub');
const WRONG = keyFile('wrong.pub');
const PASSWORD = { COSIGN_PASSWORD: 'pw' };
const NO_LOG = '--insecure-ignore-tlog';
const OLD_FORMAT = '--new-bundle-format=false';
const OFFLINE_3 = ['--use-signing-config=false', '--tlog-upload=false'];
const input = (name: string): string => join(GOLDEN, '_inputs', name);

/** Kinds of predicates, with a file of each. */
const KINDS = {
  custom: 'custom.txt',
  slsaprovenance: 'slsa02.json',
  slsaprovenance1: 'slsa1.json',
  spdxjson: 'spdx.json',
  cyclonedx: 'cdx.json',
  vuln: 'vuln.json',
  openvex: 'openvex.json',
  'https://example.com/kind/v1': 'custom.json',
} as const;

const by = (type: string): readonly string[] => [
  '--type',
  type,
  '--predicate',
  input(KINDS[type as keyof typeof KINDS]),
];

function verify(type: string, image: string, key = PUBLIC): readonly string[] {
  return ['verify-attestation', '--key', key, '--type', type, image];
}

async function read(program: string, args: readonly string[]): Promise<ClientRun> {
  return lab.run(program, program === BULLA ? args : [args[0] ?? '', NO_LOG, ...args.slice(1)]);
}

/** The predicate of the one envelope that was printed. */
function predicateIn({ stdout }: ClientRun): unknown {
  const { payload } = JSON.parse(stdout) as { readonly payload: string };
  return (JSON.parse(Buffer.from(payload, 'base64').toString()) as { readonly predicate: unknown }).predicate;
}

for (const [where, open] of Object.entries(bothKinds(lab))) {
  const needs = ['cosign-2', 'cosign-3', 'docker-registry'] as const;
  const place = where.replaceAll(/[^a-z]/g, '');

  describe(`by key, on ${where}`, () => {
    for (const type of Object.keys(KINDS)) {
      interop(
        `what bulla attests as ${type} both cosigns verify, and say the same of it`,
        needs,
        async ([two, three]) => {
          const image = `${await pushImages(await open(), `${place}/${type.replaceAll(/\W/g, '')}`)}@${SINGLE}`;
          await succeed(
            BULLA,
            ['attest', '--key', KEY, '--format', 'both', ...by(type), image],
            lab.folder(),
            PASSWORD,
          );
          const runs = [
            await read(two, verify(type, image)),
            await read(three, verify(type, image)),
            await read(three, [...verify(type, image), OLD_FORMAT]),
            await read(BULLA, verify(type, image)),
          ];
          for (const run of runs) {
            assert.equal(run.code, 0, run.stderr);
            assert.deepEqual(attested(run), [SINGLE]);
            assert.deepEqual(predicateIn(run), predicateIn(runs[0] ?? run));
          }
          const other = type === 'vuln' ? 'openvex' : 'vuln';
          for (const program of [two, three])
            refused(await read(program, verify(other, image)), /predicate type: |no matching/);
          for (const program of [two, three]) refused(await read(program, verify(type, image, WRONG)), /no matching/);
        },
      );

      interop(
        `what either cosign attests as ${type} bulla verifies, and nothing else of it`,
        needs,
        async ([two, three]) => {
          const path = await pushImages(await open(), `${place}/by-cosign/${type.replaceAll(/\W/g, '')}`);
          const [byTwo, byThree] = [`${path}@${SINGLE}`, `${path}@${MULTI}`];
          await succeed(
            two,
            ['attest', '--key', KEY, '--tlog-upload=false', '--yes', ...by(type), byTwo],
            lab.folder(),
            PASSWORD,
          );
          await succeed(
            three,
            ['attest', '--key', KEY, ...OFFLINE_3, '--yes', ...by(type), byThree],
            lab.folder(),
            PASSWORD,
          );
          for (const image of [byTwo, byThree]) {
            const good = await read(BULLA, verify(type, image));
            assert.equal(good.code, 0, good.stderr);
            assert.deepEqual(attested(good), [image.split('@')[1]]);
            const other = await read(BULLA, verify(type === 'vuln' ? 'openvex' : 'vuln', image));
            assert.equal(other.code, 12, other.stderr);
            assert.match(other.stderr, /none of the attestations matched the predicate type/);
            assert.equal((await read(BULLA, verify(type, image, WRONG))).code, 12);
            const signature = await read(BULLA, ['verify', '--key', PUBLIC, image]);
            assert.equal(signature.code, 10, 'an attestation is not a signature');
          }
        },
      );
    }

    interop('an attestation of each image of an index is read by platform', needs, async ([two, three]) => {
      const path = await pushImages(await open(), `${place}/recursive`);
      const flags = ['--format', 'both', '--recursive', ...by('openvex')];
      await succeed(BULLA, ['attest', '--key', KEY, ...flags, `${path}@${MULTI}`], lab.folder(), PASSWORD);
      for (const digest of [MULTI, ARM64])
        for (const program of [two, three, BULLA])
          assert.deepEqual(attested(await read(program, verify('openvex', `${path}@${digest}`))), [digest]);
    });

    interop('both cosigns download what bulla attested, and bulla what they did', needs, async ([two, three]) => {
      const image = `${await pushImages(await open(), `${place}/download`)}@${SINGLE}`;
      const flags = ['--format', 'both', ...by('spdxjson')];
      await succeed(BULLA, ['attest', '--key', KEY, ...flags, image], lab.folder(), PASSWORD);
      const [ours, byTwo, byThree] = await Promise.all(
        [BULLA, two, three].map((program) => lab.run(program, ['download', 'attestation', image])),
      );
      const lines = ours?.stdout.trimEnd().split('\n') ?? [];
      assert.equal(lines.length, 2);
      assert.ok(lines.includes(byTwo?.stdout.trimEnd() ?? 'nothing'), byTwo?.stderr ?? '');
      assert.ok(lines.includes(byThree?.stdout.trimEnd() ?? 'nothing'), byThree?.stderr ?? '');
    });
  });
}

interop(
  'what bulla attests of a file both cosigns verify, and the other way round',
  ['cosign-2', 'cosign-3'],
  async ([two, three]) => {
    const home = lab.folder();
    const blob = writeIn(home, 'release.bin', 'release 1\n');
    const type = ['--type', 'slsaprovenance1'];
    const attest = ['attest-blob', '--key', KEY, ...type, '--predicate', input('slsa1.json')];
    const made = (name: string): readonly string[] => ['--bundle', join(home, name)];
    await succeed(BULLA, [...attest, ...made('ours.json'), blob], home, PASSWORD);
    await succeed(
      BULLA,
      [...attest, OLD_FORMAT, ...made('ours-2.json'), '--output-signature', join(home, 'ours.sig'), blob],
      home,
      PASSWORD,
    );
    await succeed(
      two,
      [
        ...attest,
        '--tlog-upload=false',
        '--yes',
        ...made('two.json'),
        '--output-signature',
        join(home, 'two.sig'),
        blob,
      ],
      home,
      PASSWORD,
    );
    await succeed(three, [...attest, ...OFFLINE_3, '--yes', ...made('three.json'), blob], home, PASSWORD);
    const check = (of: readonly string[], file = blob): readonly string[] => [
      'verify-blob-attestation',
      '--key',
      PUBLIC,
      ...type,
      ...of,
      file,
    ];
    const signature = (name: string): readonly string[] => ['--signature', join(home, name)];
    const other = writeIn(home, 'other.bin', 'release 2\n');
    for (const [program, seals] of [
      [two, [made('ours-2.json'), signature('ours.sig')]],
      [three, [made('ours.json'), made('ours-2.json'), signature('ours.sig')]],
      [BULLA, [made('ours.json'), made('ours-2.json'), made('two.json'), made('three.json'), signature('two.sig')]],
    ] as const) {
      for (const seal of seals) {
        const good = await read(program, check(seal));
        assert.equal(good.code, 0, `${program} ${seal.join(' ')}: ${good.stderr}`);
        refused(await read(program, check(seal, other)), /digest|subject-mismatch|no matching/);
      }
    }
  },
);

/** How an attestation is made and read with services; `two`: cosign 2 can read it. */
interface Way {
  readonly seal: (stack: LabStack) => readonly string[];
  readonly two: boolean;
  readonly stamped?: boolean;
}

const stampBy = ({ endpoints }: LabStack): readonly string[] => ['--timestamp-server-url', endpoints.tsa];
const root = ({ endpoints }: LabStack): readonly string[] => ['--trusted-root', endpoints.trustedRoot];
const byUrls = (stack: LabStack): readonly string[] => [
  '--use-signing-config=false',
  ...serviceFlags(stack),
  ...root(stack),
];

const OURS: Readonly<Record<string, Way>> = {
  'in a bundle': { seal: () => [], two: false },
  "in cosign 2's format": { seal: () => ['--format', 'legacy'], two: true },
  "in cosign 2's format, with a timestamp": {
    seal: (stack) => ['--format', 'legacy', ...byUrls(stack), ...stampBy(stack)],
    two: true,
    stamped: true,
  },
  'in both formats': { seal: () => ['--format', 'both'], two: true },
};

interface Clients extends Ready {
  readonly homes: Readonly<Record<string, string>>;
}

let gathered: Promise<Clients> | undefined;
async function gather(programs: readonly string[]): Promise<Clients> {
  const { stack, token } = await ready();
  const homes: Record<string, string> = {};
  for (const program of programs) homes[program] = await initialized(lab, stack, program);
  return { stack, token, homes };
}

describe('by identity, against one bulla up', () => {
  const needs = ['cosign-2', 'cosign-3'] as const;
  let images = 0;

  async function start(two: string, three: string): Promise<Clients & { readonly image: string }> {
    const clients = await (gathered ??= gather([BULLA, two, three]));
    return { ...clients, image: `${await pushImages(clients.stack, `keyless/${++images}`)}@${SINGLE}` };
  }

  /** All of these read it, as from whom it is and from nobody else. */
  async function check(
    { stack, homes, image }: Clients & { readonly image: string },
    programs: readonly string[],
    way: Pick<Way, 'stamped'>,
  ) {
    for (const program of programs) {
      const flags = [
        ...(way.stamped === true ? ['--use-signed-timestamps'] : []),
        // cosign 2 asks the log for what it has no proof of, cosign 3 for nothing
        ...(program === programs[0] && program.endsWith('cosign-2') ? ['--rekor-url', stack.endpoints.rekor] : []),
        ...(program === BULLA ? root(stack) : []),
        '--type',
        'openvex',
        image,
      ];
      const home = homes[program] ?? '';
      const good = await lab.run(program, ['verify-attestation', ...demand(stack), ...flags], { home });
      assert.equal(good.code, 0, `${program}: ${good.stderr}`);
      assert.deepEqual(attested(good), [SINGLE]);
      const [wrong = []] = wrongDemands(stack);
      const bad = await lab.run(program, ['verify-attestation', ...wrong, ...flags], { home });
      refused(bad, /identity-subject-mismatch|none of the expected identities|no matching CertificateIdentity/);
    }
  }

  for (const [how, way] of Object.entries(OURS)) {
    interop(`what bulla attests ${how} is read by everybody who knows that format`, needs, async ([two, three]) => {
      const clients = await start(two, three);
      const { stack, token, homes, image } = clients;
      const env = { SIGSTORE_ID_TOKEN: token };
      await succeed(BULLA, ['attest', '--yes', ...way.seal(stack), ...by('openvex'), image], homes[BULLA] ?? '', env);
      await check(clients, [...(way.two ? [two] : []), three, BULLA], way);
    });
  }

  interop('what cosign 2 attests, with a timestamp and without, bulla reads', needs, async ([two, three]) => {
    for (const stamped of [false, true]) {
      const clients = await start(two, three);
      const { stack, token, homes, image } = clients;
      const flags = [...serviceFlags(stack), ...(stamped ? stampBy(stack) : [])];
      const env = { SIGSTORE_ID_TOKEN: token };
      await succeed(two, ['attest', '--yes', ...flags, ...by('openvex'), image], homes[two] ?? '', env);
      await check(clients, [two, BULLA], { stamped });
    }
  });

  interop('what cosign 3 attests, in either format, bulla reads', needs, async ([two, three]) => {
    for (const old of [false, true]) {
      const clients = await start(two, three);
      const { stack, token, homes, image } = clients;
      const flags = old ? [OLD_FORMAT, ...byUrls(stack)] : [];
      const env = { SIGSTORE_ID_TOKEN: token };
      await succeed(three, ['attest', '--yes', ...flags, ...by('openvex'), image], homes[three] ?? '', env);
      await check(clients, [three, BULLA], {});
    }
  });

  interop(
    'provenance of a pipeline is attested by its identity, and cosign 3 reads it',
    needs,
    async ([two, three]) => {
      const { stack, token, homes, image } = await start(two, three);
      const env = {
        SIGSTORE_ID_TOKEN: token,
        GITLAB_CI: 'true',
        CI_PROJECT_URL: 'https://gitlab.example.com/team/app',
        CI_RUNNER_ID: '7',
        CI_COMMIT_SHA: '0123456789abcdef0123456789abcdef01234567',
      };
      await succeed(BULLA, ['provenance', '--yes', image], homes[BULLA] ?? '', env);
      const flags = [...demand(stack), '--type', 'slsaprovenance1', image];
      const run = await lab.run(three, ['verify-attestation', ...flags], { home: homes[three] ?? '' });
      assert.equal(run.code, 0, run.stderr);
      assert.match(JSON.stringify(predicateIn(run)), /https:\/\/gitlab\.example\.com\/team\/app\/-\/runners\/7/);
    },
  );
});
