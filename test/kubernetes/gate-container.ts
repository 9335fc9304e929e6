// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BULLA } from '../interop/lab.ts';
import { GATE_NAMESPACE, type KubeLab } from './kube-lab.ts';

// There is no kubelet. A container of the gate is run by hand: the same arguments and variables, and the service account where a Pod finds it.

const IN_A_POD =
  'mount -t tmpfs tmpfs /run && mkdir -p /run/secrets/kubernetes.io/serviceaccount && cp "$1"/* /run/secrets/kubernetes.io/serviceaccount && shift && exec "$@"';

/** Whether containers can be run here at all. */
export const canMount: boolean =
  spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/run']).status === 0;

/** Of a container, what is run. */
export interface Container {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
}

/** Runs the gate's container by its own service account, but where it listens. */
export async function runContainer(
  kube: KubeLab,
  { args, env }: Container,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<ChildProcess> {
  const account = join(kube.lab.folder(), 'account');
  const config = JSON.parse(readFileSync(await kube.gateConfig(), 'utf8')) as {
    readonly clusters: readonly [{ readonly cluster: { readonly 'certificate-authority': string } }];
    readonly users: readonly [{ readonly user: { readonly token: string } }];
  };
  mkdirSync(account);
  writeFileSync(join(account, 'token'), config.users[0].user.token);
  writeFileSync(join(account, 'namespace'), GATE_NAMESPACE);
  writeFileSync(join(account, 'ca.crt'), readFileSync(config.clusters[0].cluster['certificate-authority']));
  const { hostname, port: apiPort } = new URL(kube.server);
  const folder = kube.lab.folder();
  const variables = Object.fromEntries(
    env.map(({ name, value }) => [name, value === '/var/lib/bulla' ? folder : (value ?? 'gate-0')]),
  );
  const words = args.map((word) =>
    word === '--address=0.0.0.0:8443'
      ? `--address=${host}:${port}`
      : word === '--metrics-address=0.0.0.0:8081'
        ? '--metrics-address=127.0.0.1:0'
        : word,
  );
  return spawn('unshare', ['--mount', 'sh', '-c', IN_A_POD, 'sh', account, BULLA, ...words], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: apiPort,
      ...variables,
    },
  });
}
