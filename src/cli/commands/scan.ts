// SPDX-License-Identifier: Apache-2.0
import type { RunningImage, ScanOptions, ScanReport } from '../../gate/index.ts';
import type { PolicySet } from '../../policy/index.ts';
import { isJsonObject, type Json } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT, throwIfEnded } from '../exit-code.ts';
import { readFile } from '../file/read-file.ts';
import { openFrom } from '../flags/decision.ts';
import { choiceOf, KUBECONFIG_FLAGS } from '../flags/gate-cluster.ts';
import { requireNamespace } from '../flags/gate-install.ts';
import { readPolicyFiles } from '../flags/policy-files.ts';
import { loadPolicyTrust, POLICY_TRUST_FLAGS } from '../flags/policy-trust.ts';
import { REGISTRY_FLAGS, remoteOptions } from '../flags/registry.ts';
import { writeJson } from '../output/json-document.ts';
import { scanDocument } from '../output/scan-json.ts';
import { scanText } from '../output/scan-text.ts';

const FLAGS = {
  ...KUBECONFIG_FLAGS,
  list: {
    kind: 'strings',
    split: false,
    placeholder: 'FILE',
    help: 'judge the objects in a file that kubectl get --output json wrote, rather than those of a cluster; - is standard input; may be given several times',
  },
  namespace: { kind: 'string', default: '', placeholder: 'NAMESPACE', help: 'judge what runs in this namespace alone' },
  'exclude-namespace': {
    kind: 'strings',
    split: true,
    placeholder: 'NAME',
    help: 'a namespace that is not judged; may be given several times',
  },
  policy: {
    kind: 'strings',
    split: false,
    placeholder: 'FILE',
    help: "judge by these policies rather than by the cluster's own; may be given several times",
  },
  'gate-namespace': {
    kind: 'string',
    default: 'bulla-system',
    placeholder: 'NAMESPACE',
    help: "where the gate's Secrets, ConfigMaps and exceptions are that policies name",
  },
  'pull-secrets': {
    kind: 'boolean',
    help: 'ask registries by the pull secrets of each workload rather than by those of this machine',
  },
  ...POLICY_TRUST_FLAGS,
  ...REGISTRY_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

const MAX_LIST_BYTES = 512 * 1024 * 1024;

/** `bulla scan`: would everything that runs be admitted today? */
export const command: Command = defineCommand({
  name: 'scan',
  summary: 'Decide anew on everything that runs in a cluster, or in a list',
  description:
    'Decides on the images of every Pod and workload by the policies as they are now: signers that were revoked since, scans that grew old, policies that came later. ' +
    'Of a Pod that runs, the digest that the kubelet says is judged, whatever its tag names by now. Nothing is changed in the cluster. ' +
    'Exit codes: 0 everything would be admitted, 1 something would be refused, 2 something is undecided or could not be read, 64 wrong usage.',
  usage: '[flags]',
  arguments: { min: 0, max: 0, name: 'nothing' },
  gate: true,
  flags: FLAGS,
  examples: [
    'bulla scan',
    'bulla scan --kubeconfig cluster.yaml --pull-secrets --exclude-namespace kube-system',
    'bulla scan --policy next.yaml --namespace shop',
    'kubectl get pods --all-namespaces --output json | bulla scan --list - --policy next.yaml',
  ],
  async run(context, _args, flags) {
    for (const namespace of [...(flags.namespace === '' ? [] : [flags.namespace]), ...flags['exclude-namespace']])
      requireNamespace('namespace', namespace);
    const { scanImages } = await import('../../gate/index.ts');
    const { images, unread, set, credentials } = await gather(context, flags);
    const report = await scanImages(images, { set, credentials, now: context.now(), signal: context.signal });
    // What a signal interrupted is no answer; that the time was up is one.
    throwIfEnded(context.signal);
    // a namespace that is misspelt is no clean one
    if (report.images.length === 0 && unread.length === 0)
      context.warn(`nothing that runs an image was found${flags.namespace === '' ? '' : ` in ${flags.namespace}`}`);
    const exitCode = exitCodeOfScan(report, unread);
    if (context.json) writeJson(context, { ...scanDocument(report, unread, exitCode), warnings: context.warnings });
    else context.stdout(scanText(context, report, unread));
    return exitCode;
  },
});

interface Gathered extends Pick<ScanOptions, 'set' | 'credentials'> {
  readonly images: readonly RunningImage[];
  /** what could not be read, one line each */
  readonly unread: readonly string[];
}

async function gather(context: CommandContext, flags: Flags): Promise<Gathered> {
  const gate = await import('../../gate/index.ts');
  const images: RunningImage[] = [];
  const unread: string[] = [];
  const excluded = new Set(flags['exclude-namespace']);
  const take = (object: Json): void => {
    try {
      for (const image of gate.runningImages(object))
        if (!excluded.has(image.namespace) && (flags.namespace === '' || image.namespace === flags.namespace))
          images.push(image);
    } catch (error) {
      if (!(error instanceof gate.GateError)) throw error;
      unread.push(`${nameOf(object)}: ${error.message}`);
    }
  };
  if (flags.list.length > 0) {
    if (flags.policy.length === 0) throw new CliError('usage', '--list needs --policy: by which policies?');
    for (const object of await readLists(context, flags.list)) take(object);
    const set = await fromFiles(context, flags);
    return { images, unread, set, credentials: { open: openFrom(context, flags) } };
  }
  if (context.noNetwork) throw new CliError('network-forbidden', '--no-network: a cluster is asked over the network');
  const api = await gate.openCluster({ env: context.env, ...choiceOf(flags) });
  try {
    const loaded =
      flags.policy.length > 0
        ? { set: await fromFiles(context, flags), statuses: [] }
        : await gate.loadClusterPolicies(api, flags['gate-namespace'], (found) =>
            loadPolicyTrust(context, flags, found),
          );
    const { set } = loaded;
    for (const { kind, object, problem } of loaded.statuses)
      if (problem !== undefined) context.warn(`${kind}: ${nameOf(object)} cannot be used: ${problem}`);
    await gate.listRunning(api, flags.namespace, take, context.signal);
    const remote = remoteOptions(context, flags, 'pull');
    const credentials = flags['pull-secrets']
      ? new gate.ClusterPullCredentials({ api, remote, signatureSecrets: () => gate.signatureSecretsOf(set) })
      : { open: openFrom(context, flags) };
    return { images, unread, set, credentials };
  } finally {
    // pull secrets are still asked for
    if (!flags['pull-secrets']) api.close();
  }
}

async function fromFiles(context: CommandContext, flags: Flags): Promise<PolicySet> {
  const { decodePolicyDocuments, loadPolicies, YAML_LIMITS } = await import('../../policy/index.ts');
  const files = await readPolicyFiles(context, flags.policy, YAML_LIMITS.maxBytes);
  return await loadPolicies(files, await loadPolicyTrust(context, flags, await decodePolicyDocuments(files)));
}

async function readLists(context: CommandContext, names: readonly string[]): Promise<readonly Json[]> {
  const { objectsOf } = await import('../../gate/index.ts');
  const { parseJson } = await import('../../wire/index.ts');
  const objects: Json[] = [];
  for (const name of names) {
    const bytes =
      name === '-'
        ? await context.readStdin(MAX_LIST_BYTES)
        : await readFile(name, { cwd: context.cwd, what: 'list', maxBytes: MAX_LIST_BYTES });
    const limits = {
      what: `${name === '-' ? 'standard input' : name}, where the JSON of kubectl get --output json is expected,`,
      maxBytes: MAX_LIST_BYTES,
      maxDepth: 200,
      maxValues: 50_000_000,
    };
    const list = parseJson(bytes, limits);
    if (!isJsonObject(list)) throw new CliError('usage', `${limits.what} holds no object of Kubernetes`);
    objects.push(...objectsOf(list).map(({ object }) => object));
  }
  return objects;
}

function nameOf(object: Json): string {
  const metadata = isJsonObject(object) && isJsonObject(object['metadata']) ? object['metadata'] : {};
  const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
  const namespace = text(metadata['namespace']);
  return `${namespace === '' ? '' : `${namespace}/`}${text(metadata['name'])}`;
}

function exitCodeOfScan({ outcome }: ScanReport, unread: readonly string[]): number {
  if (outcome === 'refused') return EXIT.failure;
  return outcome === 'undecided' || unread.length > 0 ? EXIT.undecided : EXIT.ok;
}
