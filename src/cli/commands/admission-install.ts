// SPDX-License-Identifier: Apache-2.0
import type { InstallSettings } from '../../gate/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { REVIEWED_FLAGS } from '../flags/admission.ts';
import { gateSettings, invalid, requireNamespace, webhookAddress, WEBHOOK_FLAGS } from '../flags/gate-install.ts';
import { writeJson } from '../output/json-document.ts';

const FLAGS = {
  namespace: { kind: 'string', default: 'bulla-system', placeholder: 'NAMESPACE', help: 'where the gate runs' },
  image: {
    kind: 'string',
    default: '',
    placeholder: 'IMAGE@DIGEST',
    help: 'image of the gate, by its digest; needed where the gate runs in the cluster',
  },
  url: {
    kind: 'string',
    default: '',
    placeholder: 'URL',
    help: 'https address of a gate that runs outside of the cluster; then nothing is run inside',
  },
  replicas: {
    kind: 'integer',
    default: 2,
    min: 1,
    max: 20,
    help: 'how many gates run; one of them is elected to write',
  },
  ...WEBHOOK_FLAGS,
  ...REVIEWED_FLAGS,
  'system-namespaces': {
    kind: 'boolean',
    help: 'judge kube-system, kube-node-lease and kube-public too; a cluster whose own images no policy admits does not start again',
  },
  'pull-secrets': {
    kind: 'boolean',
    default: true,
    help: 'let the gate read the pull secrets that workloads name; without them it sees public images only',
  },
  'image-pull-secret': {
    kind: 'strings',
    split: false,
    placeholder: 'NAME',
    help: "a Secret in the gate's namespace by which the gate's own image is pulled; may be given several times",
  },
  'egress-port': {
    kind: 'strings',
    split: true,
    placeholder: 'PORT',
    help: 'a port of registries, logs and the API server, beside 80, 443 and 6443; may be given several times',
  },
  'kubernetes-version': {
    kind: 'string',
    default: '1.21',
    placeholder: 'VERSION',
    help: 'the oldest version of Kubernetes that the manifests are for; before 1.21 a disruption budget is policy/v1beta1',
  },
  'priority-class': {
    kind: 'string',
    default: 'system-cluster-critical',
    placeholder: 'NAME',
    help: 'priority class of the gate; empty for none',
  },
  argument: {
    kind: 'strings',
    split: false,
    placeholder: 'ARGUMENT',
    help: "a further argument of the gate's 'admission serve'; may be given several times",
  },
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** `bulla admission install`: everything that a gate needs in a cluster. */
export const command: Command = defineCommand({
  name: 'admission install',
  summary: 'Print the manifests of a Kubernetes gate',
  description:
    'Prints what kubectl apply installs: resource definitions, namespace, roles with the least rights, a Deployment with its Service, disruption budget and network policy, and ' +
    'both webhook configurations, which fail closed. The gate makes its own certificates and keeps the configurations in order. The same flags print the same manifests. No socket is opened.',
  usage: '[flags]',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: FLAGS,
  examples: [
    'bulla admission install --image registry.example.com/bulla@sha256:… | kubectl apply -f -',
    'bulla admission install --image registry.example.com/bulla@sha256:… --mutate workloads --exclude-namespace istio-system',
    'bulla admission install --url https://gate.example.com:8443',
  ],
  async run(context, _args, flags) {
    const { isResource, manifests, SYSTEM_NAMESPACES, labelsOf } = await import('../../gate/index.ts');
    const system = flags['system-namespaces'] ? [] : SYSTEM_NAMESPACES;
    const excluded = [...new Set([...system, ...flags['exclude-namespace']])];
    const settings: InstallSettings = {
      ...gateSettings(flags, excluded, isResource),
      ...placeOf(flags),
      replicas: flags.replicas,
      pullSecrets: flags['pull-secrets'],
      imagePullSecrets: pullSecretNames(flags['image-pull-secret']),
      egressPorts: egressPorts(flags['egress-port']),
      disruptionVersion: isOld(flags['kubernetes-version']) ? 'policy/v1beta1' : 'policy/v1',
      priorityClass: flags['priority-class'],
      arguments: flags.argument,
      labels: labelsOf(flags.name),
    };
    const printed = manifests(settings);
    if (context.json) {
      writeJson(context, { apiVersion: 'v1', kind: 'List', items: printed });
      return EXIT.ok;
    }
    const { stringify } = await import('yaml');
    const options = { lineWidth: 0, aliasDuplicateObjects: false } as const;
    for (const manifest of printed) context.stdout(`---\n${stringify(manifest, options)}`);
    return EXIT.ok;
  },
});

function placeOf({
  namespace,
  image,
  url,
}: Flags): Pick<InstallSettings, 'namespace' | 'image'> & { readonly url?: string } {
  requireNamespace('namespace', namespace);
  if (url !== '') {
    if (image !== '')
      throw new CliError('usage', '--image and --url exclude one another: with --url the gate runs elsewhere');
    webhookAddress('url', url);
    return { namespace, image, url };
  }
  if (image === '')
    throw new CliError('usage', '--image is required: which image is the gate?', {
      hint: 'or give the address of a gate outside of the cluster: --url https://…',
    });
  if (!/^\S+@sha256:[0-9a-f]{64}$/.test(image))
    throw invalid('image', image, 'NAME@sha256:…: the gate itself is not to be whatever a tag says today');
  return { namespace, image };
}

function pullSecretNames(given: readonly string[]): readonly string[] {
  for (const name of given)
    if (!/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/.test(name))
      throw invalid('image-pull-secret', name, 'the name of a Secret');
  return [...new Set(given)];
}

function egressPorts(given: readonly string[]): readonly number[] {
  for (const port of given)
    if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
      throw invalid('egress-port', port, 'a port from 1 to 65535');
  return [...new Set([80, 443, 6443, ...given.map(Number)])].toSorted((a, b) => a - b);
}

function isOld(version: string): boolean {
  const [, major, minor] = /^v?(\d{1,3})\.(\d{1,3})(?:\.\d+)?$/.exec(version) ?? [];
  if (major === undefined || minor === undefined)
    throw invalid('kubernetes-version', version, 'a version such as 1.30');
  return Number(major) === 1 && Number(minor) < 21;
}
