// SPDX-License-Identifier: Apache-2.0

// `npm run build:rego [FILE]`: OPA as a program in WebAssembly (`build/rego/main.go`), with which policies in Rego are evaluated where no
// program `opa` is. Its sources and the Go compiler are Debian's, from sid, fetched into a folder of their own: neither the machine's packages
// nor its package sources are touched, and nobody needs to be root. FILE is `$XDG_CACHE_HOME/bulla/rego.wasm` or `~/.cache/bulla/rego.wasm`
// unless it is named, where Bulla looks for it. It is built once; --force builds it again.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { root } from './project.ts';

const KEY = '/usr/share/keyrings/debian-archive-keyring.gpg';
const GO = '1.26';
const OPA = 'golang-github-open-policy-agent-opa-dev';
/** what main.go needs of Go packages; where the archive has moved on, all that OPA's package depends on is fetched instead */
const PACKAGES = [
  `golang-${GO}-go`,
  `golang-${GO}-src`,
  OPA,
  'golang-github-agnivade-levenshtein-dev',
  'golang-github-beorn7-perks-dev',
  'golang-github-cespare-xxhash-v2-dev',
  'golang-github-go-ini-ini-dev',
  'golang-github-go-logr-logr-dev',
  'golang-github-go-logr-stdr-dev',
  'golang-github-gobwas-glob-dev',
  'golang-github-google-uuid-dev',
  'golang-github-gorilla-mux-dev',
  'golang-github-munnerz-goautoneg-dev',
  'golang-github-prometheus-client-golang-dev',
  'golang-github-prometheus-client-model-dev',
  'golang-github-prometheus-common-dev',
  'golang-github-rcrowley-go-metrics-dev',
  'golang-github-sirupsen-logrus-dev',
  'golang-github-tchap-go-patricia-dev',
  'golang-github-xeipuuv-gojsonpointer-dev',
  'golang-github-xeipuuv-gojsonreference-dev',
  'golang-github-yashtewari-glob-intersection-dev',
  'golang-google-protobuf-dev',
  'golang-gopkg-yaml.v2-dev',
  'golang-gopkg-yaml.v3-dev',
  'golang-k8s-sigs-yaml-dev',
  'golang-opentelemetry-otel-dev',
];

const args = process.argv.slice(2);
const cache = process.env['XDG_CACHE_HOME'] ?? '';
const file = resolve(
  args.find((arg) => !arg.startsWith('-')) ??
    join(cache === '' ? join(homedir(), '.cache') : cache, 'bulla', 'rego.wasm'),
);
const source = join(root, 'build', 'rego', 'main.go');
const stamp = `${file}.source`;
const wanted = createHash('sha256').update(readFileSync(source)).digest('hex');

if (!args.includes('--force') && existsSync(file) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) {
  console.log(`${file}: up to date`);
} else {
  build();
  console.log(`${file}: ${Math.round(readFileSync(file).byteLength / 1024 / 1024)} MiB`);
}

function build(): void {
  const folder = `${file}.build`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  try {
    const apt = prepareApt(folder);
    if (!tryPackages(folder, apt, PACKAGES)) {
      console.error('the packages of the archive have changed: fetching all that OPA depends on');
      if (!tryPackages(folder, apt, closure(apt))) fail('it could not be built of the packages that there are');
    }
    // durable enough for a cache: what is there is there whole
    copyFileSync(join(folder, 'rego.wasm'), `${file}.new`);
    renameSync(`${file}.new`, file);
    writeFileSync(stamp, wanted);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Run = (command: string, ...given: readonly string[]) => string | undefined;

/** apt with lists, archives and a state of its own. */
function prepareApt(folder: string): Run {
  const sources = ['/etc/apt/sources.list', ...filesIn('/etc/apt/sources.list.d')].filter((path) => existsSync(path));
  const text = sources.map((path) => readFileSync(path, 'utf8')).join('\n');
  const [mirror] = /https?:\/\/[^\s\]]+\/debian\/?(?=\s|$)/.exec(text) ?? [];
  if (mirror === undefined) fail('no Debian mirror in the apt sources of this machine');
  if (!existsSync(KEY)) fail(`${KEY} is missing: install debian-archive-keyring`);
  for (const part of ['lists/partial', 'cache/archives/partial', 'debs'])
    mkdirSync(join(folder, part), { recursive: true });
  writeFileSync(join(folder, 'sources.list'), `deb [signed-by=${KEY}] ${mirror} sid main\n`);
  writeFileSync(join(folder, 'status'), '');
  const settings = [
    `Dir::Etc::sourcelist=${join(folder, 'sources.list')}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::Lists=${join(folder, 'lists')}`,
    `Dir::State::status=${join(folder, 'status')}`,
    `Dir::Cache=${join(folder, 'cache')}`,
    'APT::Sandbox::User=root',
    'Acquire::Retries=3',
  ].flatMap((setting) => ['-o', setting]);
  const apt: Run = (command, ...given) =>
    run('apt-get', [...settings, command, ...given], { cwd: join(folder, 'debs') });
  if (apt('update', '-qq') === undefined) fail(`the lists of ${mirror} could not be fetched`);
  return apt;
}

function tryPackages(folder: string, apt: Run, packages: readonly string[]): boolean {
  const debs = join(folder, 'debs');
  if (packages.length === 0 || apt('download', '-qq', ...packages) === undefined) return false;
  const tree = join(folder, 'tree');
  for (const deb of readdirSync(debs)) if (run('dpkg', ['-x', join(debs, deb), tree]) === undefined) return false;
  const goRoot = join(tree, 'usr/lib', `go-${GO}`);
  const program = join(folder, 'gopath/src/rego');
  mkdirSync(program, { recursive: true });
  copyFileSync(source, join(program, 'main.go'));
  const env = {
    PATH: `${goRoot}/bin:/usr/bin:/bin`,
    HOME: folder,
    GOROOT: goRoot,
    GOPATH: `${join(folder, 'gopath')}:${join(tree, 'usr/share/gocode')}`,
    GOCACHE: join(folder, 'gocache'),
    GO111MODULE: 'off',
    GOTOOLCHAIN: 'local',
    GOFLAGS: '',
    CGO_ENABLED: '0',
    GOOS: 'wasip1',
    GOARCH: 'wasm',
  };
  // appengine: what some packages call a system without terminals
  const flags = ['-trimpath', '-tags', 'appengine', '-ldflags', '-s -w', '-o', join(folder, 'rego.wasm')];
  return run('go', ['build', ...flags, '.'], { cwd: program, env }) !== undefined;
}

/** All Go packages that OPA's depends on: some hundreds. */
function closure(apt: Run): readonly string[] {
  const uris = apt('install', '--print-uris', '--yes', '--no-install-recommends', OPA, `golang-${GO}-go`) ?? '';
  const names = [...uris.matchAll(/^'[^']*\/([^/_']+)_[^/']*\.deb'/gm)].map(([, name = '']) => name);
  return names.filter((name) => name.startsWith('golang-'));
}

function run(
  command: string,
  given: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): string | undefined {
  const { status, stdout, stderr, error } = spawnSync(command, given, {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  });
  if (status === 0) return stdout;
  const said = error?.message ?? stderr.trim().split('\n').slice(-8).join('\n');
  console.error(`${command} ${given.find((one) => !one.startsWith('-') && !one.includes('::')) ?? ''}: ${said}`);
  return undefined;
}

function filesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}

function fail(why: string): never {
  console.error(`build:rego: ${why}`);
  process.exit(1);
}
