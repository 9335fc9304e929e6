// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { findClient, interop as withClients, opaVariable, type ClientName } from './clients.ts';
import { demand, oneStack, refused, writeIn } from './keyless.ts';
import { Lab, type LabStack } from './lab.ts';
import {
  examplePolicy,
  explain,
  policyFile,
  PUBLIC_KEY,
  scanReport,
  SEALERS,
  trustRootOf,
  WRONG_PUBLIC_KEY,
  type Judged,
  type Sealer,
} from './policy-lab.ts';

// Example B: the key of the pipeline and a scan not older than a week, with Rego and CUE, a trust root of one's own, and signatures in
// another repository. Everything is on one registry on loopback, which the example is told of.

const lab = new Lab();
after(() => lab.close());
const ready = oneStack(lab);

/** A test with real clients, and with an engine for Rego. */
function interop(
  title: string,
  needs: readonly ClientName[],
  body: (programs: readonly string[]) => Promise<void>,
): void {
  withClients(title, [...needs, 'opa'], body);
}

/** How the example decides, run by the command line. */
function decided(image: string, flags: readonly string[]): Promise<Judged> {
  return explain(lab, image, flags, opaVariable(findClient('opa') ?? ''));
}

const SCANNER = 'scanner@example.com';
const PEM = /-----BEGIN PUBLIC KEY-----[^]*?-----END PUBLIC KEY-----\n/;

/** The example, with the stack, its registry and a key in the place of what stands there; all else as it is. */
function policyFor(stack: LabStack, key: string = PUBLIC_KEY): readonly string[] {
  const text = examplePolicy('built-and-scanned')
    .replace(PEM, key.trim().replaceAll('\n', '\n        ') + '\n')
    .replaceAll('registry.example.com', stack.host)
    .replace('https://fulcio.example.com', stack.endpoints.fulcio)
    .replace('https://oidc.example.com', stack.endpoints.issuer);
  return ['--policy', policyFile(lab, text, trustRootOf(stack, 'acme'))];
}

/** What would run the image. */
function workload(kind: 'Deployment' | 'Pod', labels: Readonly<Record<string, string>> = {}): readonly string[] {
  const apiVersion = kind === 'Pod' ? 'v1' : 'apps/v1';
  const object = { apiVersion, kind, metadata: { name: 'shop', labels }, spec: {} };
  return ['--resource', writeIn(lab.folder(), 'object.yaml', JSON.stringify(object))];
}

/** An image, and what lies beside it. */
interface Laid {
  /** by the key of the pipeline */
  readonly signed?: boolean;
  /** how many days ago each scan ended */
  readonly scans?: readonly number[];
  readonly scanner?: string;
}

let images = 0;

/** An image like no other: what signs one, in the repository that all share, signs no other. */
async function newImage(stack: LabStack): Promise<string> {
  const folder = lab.folder();
  writeIn(folder, 'content', String(++images));
  const packed = await lab.bulla(['image', 'pack', folder, `${stack.host}/prod/shop-${images}:1`]);
  assert.equal(packed.code, 0, packed.stderr);
  return packed.stdout.trim().replace(':1@', '@');
}

async function lay(sealer: Sealer, programs: readonly string[], laid: Laid): Promise<string> {
  const { stack } = await ready();
  const { signed = true, scans = [], scanner = SCANNER } = laid;
  const image = await newImage(stack);
  const job = { lab, stack, image, programs };
  const repository = `${stack.host}/signatures`;
  if (signed) await sealer.byKey({ ...job, words: ['sign'], repository });
  const token = await stack.token(scanner);
  for (const daysAgo of scans) {
    const words = ['attest', '--type', 'vuln', '--predicate', scanReport(lab, daysAgo)];
    await sealer.byIdentity({ ...job, words }, token);
  }
  return image;
}

function said(judged: Judged): string {
  const [policy] = judged.policies;
  const found = policy?.authorities.map(({ name, outcome, code }) => `${name} ${outcome} [${code}]`) ?? [];
  return [judged.outcome, policy?.code, ...found].filter((word) => word !== undefined).join(', ');
}

/** What is laid beside the image, and how it is decided. */
const CASES: Readonly<Record<string, readonly [laid: Laid, expected: string]>> = {
  'signed and scanned this hour': [{ scans: [0.01] }, 'trusted, met, build trusted [met], scan trusted [met]'],
  'signed and scanned six days ago': [{ scans: [6] }, 'trusted, met, build trusted [met], scan trusted [met]'],
  'signed, its scan eight days old': [
    { scans: [8] },
    'refused, program-refused, build trusted [met], scan refused [attestation-failed]',
  ],
  'signed, with an old scan and a new one': [
    { scans: [40, 1] },
    'trusted, met, build trusted [met], scan trusted [met]',
  ],
  'signed and never scanned': [{}, 'refused, program-refused, build trusted [met], scan refused [attestation-failed]'],
  'scanned and not signed': [
    { signed: false, scans: [1] },
    'refused, program-refused, build refused [nothing-found], scan trusted [met]',
  ],
  'signed, and scanned by somebody else': [
    { scans: [1], scanner: 'dev@example.com' },
    'refused, program-refused, build trusted [met], scan refused [attestation-failed]',
  ],
  'neither signed nor scanned': [
    { signed: false },
    'refused, authorities-failed, build refused [nothing-found], scan refused [attestation-failed]',
  ],
};

/** What every client is tried with; the rest has nothing to do with who sealed. */
const FOR_ALL = ['signed and scanned this hour', 'signed, its scan eight days old', 'scanned and not signed'] as const;

// It has the timestamp authority stamp the signature and not the envelope; no version of cosign accepts that, nor does bulla.
const STAMPS_OTHERWISE = 'cosign 3, legacy';

for (const sealer of SEALERS.filter(({ title }) => title !== STAMPS_OTHERWISE))
  describe(`sealed by ${sealer.title}`, () => {
    for (const [title, [laid, expected]] of Object.entries(CASES))
      if (sealer === SEALERS[0] || FOR_ALL.some((one) => one === title))
        interop(title, sealer.needs, async (programs) => {
          const image = await lay(sealer, programs, laid);
          const { stack } = await ready();
          assert.equal(said(await decided(image, [...policyFor(stack), ...workload('Deployment')])), expected);
        });
  });

interop(
  'the key of cosign 3 counts in a .sig tag, its timestamp in an .att tag for nobody',
  ['cosign-3'],
  async (programs) => {
    const { stack } = await ready();
    const image = await lay(sealerNamed(STAMPS_OTHERWISE), programs, { scans: [1] });
    const judged = await decided(image, [...policyFor(stack), ...workload('Deployment')]);
    assert.equal(said(judged), 'refused, program-refused, build trusted [met], scan refused [attestation-failed]');
    assert.equal(judged.policies[0]?.authorities[1]?.nearest?.code, 'timestamp-imprint-mismatch');
    const [cosign = ''] = programs;
    const flags = ['--use-signed-timestamps', '--trusted-root', stack.endpoints.trustedRoot, ...demand(stack, SCANNER)];
    refused(
      await lab.run(cosign, ['verify-attestation', '--type', 'vuln', ...flags, image]),
      /hashed messages don't match/,
    );
  },
);

interop('signed by one client and scanned by another, in both formats', ['cosign-2', 'cosign-3'], async (programs) => {
  const { stack } = await ready();
  const image = await newImage(stack);
  const program = (needs: readonly ClientName[]): readonly string[] => [
    programs[needs[0] === 'cosign-3' ? 1 : 0] ?? '',
  ];
  const job = (sealer: Sealer): { lab: Lab; stack: LabStack; image: string; programs: readonly string[] } => ({
    lab,
    stack,
    image,
    programs: program(sealer.needs),
  });
  const [legacy, bundle] = [sealerNamed('cosign 2, legacy'), sealerNamed('cosign 3, bundle')];
  await bundle.byKey({ ...job(bundle), words: ['sign'], repository: `${stack.host}/signatures` });
  const words = ['attest', '--type', 'vuln', '--predicate', scanReport(lab, 2)];
  await legacy.byIdentity({ ...job(legacy), words }, await stack.token(SCANNER));
  const judged = await decided(image, [...policyFor(stack), ...workload('Deployment')]);
  assert.equal(said(judged), 'trusted, met, build trusted [met], scan trusted [met]');
});

describe('what example B is about', () => {
  const [bulla] = SEALERS;
  const outcomeOf = async (image: string, flags: readonly string[]): Promise<string> => {
    const { outcome, code } = await decided(image, flags);
    return `${outcome} ${code}`;
  };

  interop('is Deployments, and Pods that have a label app, of its registry', [], async () => {
    assert.ok(bulla !== undefined);
    const image = await lay(bulla, [], { scans: [1] });
    const { stack } = await ready();
    const policy = policyFor(stack);
    assert.equal(await outcomeOf(image, [...policy, ...workload('Pod', { app: 'shop' })]), 'trusted met');
    assert.equal(await outcomeOf(image, [...policy, ...workload('Pod', { apps: 'x' })]), 'refused no-policy-matches');
    assert.equal(await outcomeOf(image, policy), 'refused no-policy-matches', 'nobody knows what runs it');
    const elsewhere = image.replace('/prod/', '/test/');
    assert.equal(await outcomeOf(elsewhere, [...policy, ...workload('Deployment')]), 'refused no-policy-matches');
    const other = image.replace(/@.*/, (await newImage(stack)).replace(/.*@/, '@'));
    assert.equal(await outcomeOf(other, [...policy, ...workload('Deployment')]), 'refused image-missing');
  });

  interop('is this key, and signatures in the repository that is named', [], async () => {
    assert.ok(bulla !== undefined);
    const { stack } = await ready();
    const image = await lay(bulla, [], { scans: [1] });
    const otherKey = await decided(image, [...policyFor(stack, WRONG_PUBLIC_KEY), ...workload('Deployment')]);
    assert.equal(
      said(otherKey),
      'refused, program-refused, build refused [none-accepted], scan trusted [met]',
      'both are needed',
    );
    const beside = await newImage(stack);
    await bulla.byKey({ lab, stack, words: ['sign'], image: beside, programs: [] });
    const judged = await decided(beside, [...policyFor(stack), ...workload('Deployment')]);
    assert.equal(judged.outcome, 'refused', 'a signature beside the image is not where it should be');
  });
});

function sealerNamed(title: string): Sealer {
  const found = SEALERS.find((sealer) => sealer.title === title);
  assert.ok(found !== undefined, title);
  return found;
}
