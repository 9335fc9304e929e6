// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { signImage } from '../../src/image/index.ts';
import { openRemoteRepository, parseReference } from '../../src/oci/index.ts';
import { serveRegistry, type RunningRegistry } from '../../src/registry/index.ts';
import { encodePublicKey, generatePrivateKey, keySigner } from '../../src/trust/index.ts';

// The recipes in deploy/ as far as they go without the services that run them: their scripts run here, with the variables that those would set.

const root = join(import.meta.dirname, '..', '..');
const deploy = join(root, 'deploy');
const work = mkdtempSync(join(tmpdir(), 'bulla-recipes-'));
const read = (name: string): string => readFileSync(join(deploy, name), 'utf8');
const script = read('check.sh');
const hasShellcheck = spawnSync('shellcheck', ['--version']).status === 0;
let registry: RunningRegistry;
let image = '';

before(async () => {
  registry = await serveRegistry({ data: join(work, 'data'), port: 0 });
  const host = `localhost:${new URL(registry.url).port}`;
  image = `${host}/team/app:1`;
  mkdirSync(join(work, 'bin'));
  const program = join(work, 'bin/bulla');
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'src/cli/main.ts')}' "$@"\n`);
  chmodSync(program, 0o755);
  const key = await generatePrivateKey('ecdsa-p256');
  mkdirSync(join(work, 'source/deploy folder'), { recursive: true });
  mkdirSync(join(work, 'temp'));
  writeFileSync(join(work, 'temp', 'hello'), 'hello');
  const packed = await run('#!/bin/sh\nbulla image pack "$FILES" "$IMAGE"', {
    FILES: join(work, 'temp'),
    IMAGE: image,
  });
  assert.equal(packed.code, 0, packed.stderr);
  const signer = keySigner(key);
  await signImage(openRemoteRepository(parseReference(`${host}/team/app`), { access: 'write' }), '1', {
    signer,
    now: new Date(),
  });
  const policy = {
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name: 'sealed' },
    spec: { images: [{ glob: `${host}/**` }], authorities: [{ key: { data: encodePublicKey(signer.publicKey) } }] },
  };
  writeFileSync(join(work, 'source/policy one.yaml'), JSON.stringify(policy));
  const pod = (name: string): string => `apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ${name}\n`;
  writeFileSync(join(work, 'source/deploy folder/good.yaml'), pod(image));
  writeFileSync(join(work, 'source/bad.yaml'), pod('ghcr.io/x/y:1'));
  writeFileSync(join(work, 'source/compose.yaml'), 'services: {app: {image: "${IMAGE}"}}\n');
});
after(async () => {
  await registry.close();
  rmSync(work, { recursive: true, force: true });
});

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script as a runner does: written to a file, in the folder of the source, with nothing but these variables. */
async function run(text: string, env: Readonly<Record<string, string>>): Promise<Ran> {
  const file = join(work, 'script');
  writeFileSync(file, text);
  const child = spawn('sh', ['-e', file], {
    cwd: join(work, 'source'),
    env: { PATH: `${join(work, 'bin')}:${process.env['PATH'] ?? ''}`, HOME: work, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const code = await new Promise<number | null>((done) => child.on('close', done));
  return { code, stdout, stderr };
}

const GOOD = { BULLA_POLICY: 'policy one.yaml', BULLA_FILES: 'deploy folder\n' };
const BAD = { ...GOOD, BULLA_FILES: 'deploy folder\nbad.yaml' };

describe('the plain script', () => {
  it('ends as check does, and says the outcome', async () => {
    const outcome = join(work, 'outcome');
    const cases: readonly (readonly [Readonly<Record<string, string>>, number, string])[] = [
      [GOOD, 0, 'trusted'],
      [{ BULLA_POLICY: 'policy one.yaml', BULLA_IMAGES: `\n${image}\n` }, 0, 'trusted'],
      [BAD, 1, 'refused'],
      [{ ...GOOD, BULLA_IMAGES: 'localhost:1/team/app:1' }, 1, 'refused'],
      [{ ...GOOD, BULLA_KIT: 'nowhere' }, 64, 'usage'],
      [{ BULLA_POLICY: 'nowhere.yaml', BULLA_IMAGES: 'nginx' }, 64, 'usage'],
      [{}, 64, 'usage'],
      [{ ...GOOD, BULLA_FILES: 'compose.yaml' }, 2, 'undecided'],
      [{ ...GOOD, BULLA_FILES: 'compose.yaml', BULLA_SKIP_UNREADABLE: 'true' }, 2, 'undecided'],
      [{ ...GOOD, BULLA_FILES: 'compose.yaml', BULLA_VARIABLES: `IMAGE=${image}\nX=$(touch pwned)` }, 0, 'trusted'],
      // no shell starts what is not there, and that is no answer about an image
      [{ ...GOOD, PATH: '/usr/bin:/bin' }, 64, 'usage'],
    ];
    for (const [env, code, said] of cases) {
      const ran = await run(script, { ...env, BULLA_OUTCOME_FILE: outcome });
      assert.deepEqual([ran.code, readFileSync(outcome, 'utf8')], [code, said], ran.stdout + ran.stderr);
    }
  });
  it('never ends well where the outcome cannot be written, and as before where it is not well', async () => {
    const nowhere = { BULLA_OUTCOME_FILE: join(work, 'nowhere/outcome') };
    assert.equal((await run(script, { ...GOOD, ...nowhere })).code, 64);
    assert.equal((await run(script, { ...BAD, ...nowhere })).code, 1);
  });
  it('says that bulla is not there', async () => {
    assert.match((await run(script, { ...GOOD, PATH: '/usr/bin:/bin' })).stderr, /^bulla is not on the PATH/);
  });
  it(
    'is without fault to shellcheck, as is that of the Action',
    { skip: hasShellcheck ? false : 'there is no shellcheck' },
    () => {
      const { runs } = parse(read('github-action/action.yml')) as { runs: { steps: readonly { run: string }[] } };
      for (const text of [script, ...runs.steps.map((one) => `#!/bin/sh\n${one.run}`)]) {
        const { status, stdout } = spawnSync('shellcheck', ['--shell=sh', '-'], { input: text, encoding: 'utf8' });
        assert.equal(status, 0, stdout);
      }
    },
  );
  it('reads no name as a command or a flag', async () => {
    const hostile = '$(touch pwned)\n`touch pwned`\n; touch pwned\n--skip-unreadable\n"; touch pwned; "';
    const ran = await run(script, { ...GOOD, BULLA_IMAGES: hostile });
    assert.equal(ran.code, 1, ran.stderr);
    assert.equal(existsSync(join(work, 'source/pwned')), false);
    assert.match(ran.stdout, /--skip-unreadable refused/);
  });
});

describe('the GitHub Action', () => {
  interface Action {
    readonly inputs: Readonly<
      Record<string, { readonly description: string; readonly required?: boolean; readonly default?: string }>
    >;
    readonly outputs: Readonly<Record<string, { readonly value: string }>>;
    readonly runs: {
      readonly using: string;
      readonly steps: readonly {
        readonly id: string;
        readonly shell: string;
        readonly env: Readonly<Record<string, string>>;
        readonly run: string;
      }[];
    };
  }
  const action = parse(read('github-action/action.yml')) as Action;
  const [step] = action.runs.steps;

  /** As the runner does it: inputs into variables, the script with files to write outputs to. */
  async function play(
    inputs: Readonly<Record<string, string>>,
  ): Promise<Ran & { readonly output: string; readonly summary: string }> {
    const env = Object.fromEntries(
      Object.entries(step?.env ?? {}).map(([name, value]) => [
        name,
        value.replace(/^\$\{\{ (?:inputs\.([\w-]+)|github\.action_path) \}\}$/, (_, input?: string) =>
          input === undefined ? join(deploy, 'github-action') : (inputs[input] ?? action.inputs[input]?.default ?? ''),
        ),
      ]),
    );
    for (const value of Object.values(env)) assert.doesNotMatch(value, /\$\{\{/);
    const [output, summary] = [join(work, 'output'), join(work, 'summary')];
    writeFileSync(output, '');
    writeFileSync(summary, 'before\n');
    const ran = await run(step?.run ?? '', {
      ...env,
      RUNNER_TEMP: join(work, 'temp'),
      GITHUB_OUTPUT: output,
      GITHUB_STEP_SUMMARY: summary,
    });
    return { ...ran, output: readFileSync(output, 'utf8'), summary: readFileSync(summary, 'utf8') };
  }

  it('is composite, names its shell, and puts no input into its script', () => {
    assert.equal(action.runs.using, 'composite');
    assert.equal(step?.shell, 'sh');
    assert.doesNotMatch(step?.run ?? '', /\$\{\{/);
    for (const { description } of Object.values(action.inputs)) assert.ok(description.length > 0);
    assert.deepEqual(Object.keys(action.outputs), ['outcome', 'sarif']);
  });
  it('passes where all is trusted', async () => {
    const { code, stdout, stderr, output, summary } = await play({ policy: 'policy one.yaml', files: 'deploy folder' });
    assert.equal(code, 0, stdout + stderr);
    assert.equal(output, 'outcome=trusted\n');
    assert.match(stdout, /1 image: 1 trusted/);
    assert.match(summary, /^before\n### ✅ Images: trusted/);
  });
  it('fails where one is refused, and shows it at its line, in the summary and in SARIF', async () => {
    const { code, stdout, output, summary } = await play({
      policy: 'policy one.yaml',
      files: 'bad.yaml',
      sarif: 'out.sarif',
    });
    assert.equal(code, 1);
    assert.equal(output, 'outcome=refused\n');
    assert.match(stdout, /^::error file=bad\.yaml,line=5,/m);
    assert.match(stdout, /✗ ghcr\.io\/x\/y:1 refused/);
    assert.match(summary, /❌/);
    const sarif = JSON.parse(readFileSync(join(work, 'source/out.sarif'), 'utf8')) as {
      runs: readonly { results: readonly object[] }[];
    };
    assert.equal(sarif.runs[0]?.results.length, 1);
  });
  it('fails for wrong usage, and says so', async () => {
    const { code, output, stderr } = await play({ policy: 'nowhere.yaml', files: 'bad.yaml' });
    assert.deepEqual([code, output], [64, 'outcome=usage\n']);
    assert.match(stderr, /nowhere\.yaml/);
  });
});

describe('the GitLab component', () => {
  const [spec, jobs] = parseAllDocuments(read('gitlab-component/templates/check.yml')).map(
    (document) => document.toJS() as Json,
  );
  type Json = Readonly<Record<string, unknown>>;
  const job = jobs?.['$[[ inputs.job-name ]]'] as {
    readonly variables: Readonly<Record<string, string>>;
    readonly script: readonly string[];
    readonly artifacts: { readonly when: string; readonly reports: Readonly<Record<string, string>> };
    readonly image: { readonly name: string; readonly entrypoint: readonly string[] };
  };

  it('runs its script in an image whose entry point is bulla, too', () => {
    assert.deepEqual(job.image, { name: '$[[ inputs.image ]]', entrypoint: [''] });
  });

  it('has an input for everything that it interpolates, and none in its script', () => {
    const inputs = Object.keys((spec as { spec: { inputs: Json } }).spec.inputs);
    const asked = [...JSON.stringify(jobs).matchAll(/\$\[\[ inputs\.([\w-]+) \]\]/g)].map(([, name]) => name ?? '');
    assert.deepEqual([...new Set(asked)].toSorted(), inputs.toSorted());
    assert.doesNotMatch(job.script.join('\n'), /\$\[\[/);
  });
  it('runs the plain script, and leaves the reports that it names', async () => {
    assert.equal(job.script.join('\n'), script.split('\n').slice(2).join('\n'));
    const values: Readonly<Record<string, string>> = { policy: 'policy one.yaml', files: 'bad.yaml' };
    const env = Object.fromEntries(
      Object.entries(job.variables).map(([name, value]) => [
        name,
        value.replace(/\$\[\[ inputs\.([\w-]+) \]\]/g, (_, input: string) => values[input] ?? ''),
      ]),
    );
    const { code, stdout } = await run(job.script.join('\n'), env);
    assert.equal(code, 1, stdout);
    const { junit = '', codequality = '' } = job.artifacts.reports;
    assert.match(readFileSync(join(work, 'source', junit), 'utf8'), /failures="1"/);
    const quality = JSON.parse(readFileSync(join(work, 'source', codequality), 'utf8')) as readonly {
      severity: string;
    }[];
    assert.deepEqual(
      quality.map(({ severity }) => severity),
      ['blocker'],
    );
    assert.equal(job.artifacts.when, 'always');
  });
});

describe('the Tekton Task', () => {
  const task = parse(read('tekton/task.yaml')) as {
    readonly apiVersion: string;
    readonly spec: {
      readonly params: readonly { readonly name: string; readonly default?: string }[];
      readonly results: readonly { readonly name: string }[];
      readonly steps: readonly {
        readonly image: string;
        readonly script: string;
        readonly env: readonly { readonly name: string; readonly value: string }[];
        readonly securityContext: object;
      }[];
      readonly workspaces: readonly object[];
    };
  };
  const [step] = task.spec.steps;

  it('has no rights that it does not need', () => {
    assert.deepEqual(step?.securityContext, {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    for (const workspace of task.spec.workspaces) assert.equal('readOnly' in workspace && workspace.readOnly, true);
  });

  it('has a parameter for everything that it uses, and none in its script', () => {
    const used = [...JSON.stringify(task.spec.steps).matchAll(/\$\(params\.([\w-]+)\)/g)].map(([, name]) => name ?? '');
    assert.deepEqual([...new Set(used)].toSorted(), task.spec.params.map(({ name }) => name).toSorted());
    assert.doesNotMatch(step?.script ?? '', /\$\((?:params|results|workspaces)\./);
  });
  it('runs the plain script, and writes its result', async () => {
    assert.equal(step?.script, script);
    const outcome = join(work, 'tekton-outcome');
    const values: Readonly<Record<string, string>> = { policy: 'policy one.yaml', files: 'deploy folder' };
    const env = Object.fromEntries(
      (step?.env ?? []).map(({ name, value }) => [
        name,
        value
          .replace(/^\$\(params\.([\w-]+)\)$/, (_, param: string) => values[param] ?? '')
          .replace('$(results.outcome.path)', outcome),
      ]),
    );
    const { code, stdout, stderr } = await run(step?.script ?? '', env);
    assert.deepEqual([code, readFileSync(outcome, 'utf8')], [0, 'trusted'], stdout + stderr);
  });
});
