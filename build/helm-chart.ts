// SPDX-License-Identifier: Apache-2.0

// `npm run build:chart`: writes the templates of the Helm chart in `deploy/helm/bulla` from the manifests that `bulla admission install` prints, so
// that there is one source of both. `-- --check` fails where the files say otherwise.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { root } from './project.ts';

interface KubeObject {
  readonly kind: string;
}

const folder = join(root, 'deploy', 'helm', 'bulla', 'templates');

// What nobody would choose stands in the place of each setting, and is exchanged for what Helm fills in. Helm's own language alone is used, none of its
// functions: so a test can fill it in with the template engine of kubectl.
const FLAGS: readonly string[] = [
  '--name=x-name-x',
  '--namespace=x-namespace-x',
  `--image=x-image-x@sha256:${'0'.repeat(64)}`,
  '--replicas=17',
  '--webhook-timeout=29s',
  '--system-namespaces',
  '--exclude-namespace=x-excluded-x',
  '--resource=x-group-x/v0version/x0plural',
  '--egress-port=64999',
  '--image-pull-secret=x-pull-x',
  '--priority-class=x-priority-x',
  '--argument=x-argument-x',
];

/** What `bulla admission install` prints. */
function manifests(...flags: readonly string[]): readonly KubeObject[] {
  const args = ['admission', 'install', '--json', ...FLAGS, ...flags];
  const { status, stdout, stderr } = spawnSync(join(root, 'bin', 'bulla'), args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`bulla ${args.join(' ')}: ${stderr}`);
  return (JSON.parse(stdout) as { readonly items: readonly KubeObject[] }).items;
}

/** Blocks that stand once for each value of a list, or not at all. */
const BLOCKS: readonly (readonly [RegExp, string])[] = [
  [
    /^( *)- "?--exclude-namespace=x-excluded-x"?\n/gm,
    '$1{{- range .Values.excludedNamespaces }}\n$1- "--exclude-namespace={{ . }}"\n$1{{- end }}\n',
  ],
  [/^( *)- "?x-excluded-x"?\n/gm, '$1{{- range .Values.excludedNamespaces }}\n$1- "{{ . }}"\n$1{{- end }}\n'],
  [
    /^( *)- "?--resource=x-group-x\/v0version\/x0plural"?\n/gm,
    '$1{{- range .Values.resources }}\n$1- "--resource={{ .group }}/{{ .version }}/{{ .plural }}"\n$1{{- end }}\n',
  ],
  [/^( *)- "?x-argument-x"?\n/gm, '$1{{- range .Values.arguments }}\n$1- {{ printf "%q" . }}\n$1{{- end }}\n'],
  [
    /^( *)- protocol: TCP\n *port: 80\n(?:\1- protocol: TCP\n *port: \d+\n)*/gm,
    '$1{{- range .Values.egressPorts }}\n$1- protocol: TCP\n$1  port: {{ . }}\n$1{{- end }}\n',
  ],
  [
    /^( *)imagePullSecrets:\n *- name: "?x-pull-x"?\n/gm,
    '$1{{- with .Values.imagePullSecrets }}\n$1imagePullSecrets:\n$1  {{- range . }}\n$1  - name: "{{ . }}"\n$1  {{- end }}\n$1{{- end }}\n',
  ],
  [
    /^( *)priorityClassName: "?x-priority-x"?\n/gm,
    '$1{{- with .Values.priorityClass }}\n$1priorityClassName: "{{ . }}"\n$1{{- end }}\n',
  ],
  [
    /^( *)- apiGroups:\n *- x-group-x\n((?:\1 .*\n)*)/gm,
    '$1{{- range .Values.resources }}\n$1- apiGroups:\n$1    - "{{ .group }}"\n$2$1{{- end }}\n',
  ],
];

const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^( *)- "?v0version"?$/gm, '$1- "{{ .version }}"'],
  [/^( *)- "?x0plural"?$/gm, '$1- "{{ .plural }}"'],
  [/^( *)- "?--mutate=pods"?$/gm, '$1- "--mutate={{ .Values.mutate }}"'],
  [/^( *)- "?--webhook-timeout=29s"?$/gm, '$1- "--webhook-timeout={{ .Values.timeoutSeconds }}s"'],
  [/^( *)replicas: 17$/gm, '$1replicas: {{ .Values.replicas }}'],
  [/^( *)timeoutSeconds: 29$/gm, '$1timeoutSeconds: {{ .Values.timeoutSeconds }}'],
  [/^(.*: |.*- )([^"\n]*x-(?:name|namespace|image)-x[^"\n]*)$/gm, '$1"$2"'],
  [/x-namespace-x/g, '{{ .Release.Namespace }}'],
  [/x-name-x/g, '{{ .Values.name }}'],
  [/x-image-x@sha256:0+/g, '{{ .Values.image }}'],
];

function template(object: KubeObject): string {
  let text = stringify(object, { lineWidth: 0, aliasDuplicateObjects: false });
  for (const [pattern, written] of [...BLOCKS, ...WORDS]) text = text.replace(pattern, written);
  const left = /x-[a-z]+-x|v0version|x0plural|64999|: 17$|: 29$|=29s/m.exec(text);
  if (left !== null) throw new Error(`the template still says ${left[0]}:\n${text}`);
  return text;
}

function of(objects: readonly KubeObject[], ...kinds: readonly string[]): readonly string[] {
  return objects.filter(({ kind }) => kinds.includes(kind)).map((object) => template(object));
}

/** Definitions stay when the chart goes: with them would go every policy. */
function kept(text: string): string {
  return text.replace(/^( *)name: (.*)\n/m, '$1name: $2\n$1annotations:\n$1  helm.sh/resource-policy: keep\n');
}

function files(): Readonly<Record<string, string>> {
  const objects = manifests();
  const definitions = of(objects, 'CustomResourceDefinition').map((text) => kept(text));
  const [mutatingPods] = of(objects, 'MutatingWebhookConfiguration');
  const [mutatingAll] = of(manifests('--mutate=workloads'), 'MutatingWebhookConfiguration');
  const [reads] = of(objects, 'ClusterRole');
  const [readsNone] = of(manifests('--pull-secrets=false'), 'ClusterRole');
  const documents = (texts: readonly string[]): string => texts.map((text) => `---\n${text}`).join('');
  return {
    'definitions.yaml': `{{- if .Values.definitions }}\n${documents(definitions)}{{- end }}\n`,
    'roles.yaml':
      documents(of(objects, 'ServiceAccount')) +
      `---\n{{- if .Values.pullSecrets }}\n${reads}{{- else }}\n${readsNone}{{- end }}\n` +
      documents(of(objects, 'ClusterRoleBinding', 'Role', 'RoleBinding')),
    'gate.yaml': documents(of(objects, 'Service', 'NetworkPolicy', 'PodDisruptionBudget', 'Deployment')),
    'webhooks.yaml':
      documents(of(objects, 'ValidatingWebhookConfiguration')) +
      `---\n{{- if eq .Values.mutate "pods" }}\n${mutatingPods}{{- else if eq .Values.mutate "workloads" }}\n${mutatingAll}{{- end }}\n`,
  };
}

const NOTE =
  '# SPDX-License-Identifier: Apache-2.0\n# Written by `npm run build:chart` from what `bulla admission install` prints.\n';
const check = process.argv.includes('--check');
for (const [name, text] of Object.entries(files())) {
  const path = join(folder, name);
  const written = `${NOTE}${text}`;
  if (check && (!existsSync(path) || readFileSync(path, 'utf8') !== written)) {
    console.error(`${path} is not what the manifests say: run npm run build:chart`);
    process.exitCode = 1;
  }
  if (!check) writeFileSync(path, written);
}
