// SPDX-License-Identifier: Apache-2.0
import type { InstallSettings, Mutate } from '../../gate/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';

/** What the manifests of a gate and the gate itself must agree on. */
export const WEBHOOK_FLAGS = {
  name: {
    kind: 'string',
    default: 'bulla-gate',
    placeholder: 'NAME',
    help: 'name of the webhook configurations and of everything else that belongs to the gate',
  },
  'webhook-timeout': {
    kind: 'duration',
    default: 10_000,
    help: 'how long the API server waits for an answer, from 1s to 30s; the gate answers before',
  },
  resource: {
    kind: 'strings',
    split: false,
    placeholder: 'GROUP/VERSION/PLURAL',
    help: 'a further resource whose images are judged, for example example.com/*/trainings; may be given several times',
  },
} as const;

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?$/;
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** What {@link WEBHOOK_FLAGS} and their companions say, checked. @throws CliError `flag-invalid` */
export function gateSettings(
  flags: FlagValues<typeof WEBHOOK_FLAGS> & { readonly mutate: string },
  excluded: readonly string[],
  isResource: (text: string) => boolean,
): Pick<InstallSettings, 'name' | 'mutate' | 'excluded' | 'timeoutSeconds' | 'resources'> {
  const timeoutSeconds = flags['webhook-timeout'] / 1000;
  if (!NAME.test(flags.name)) throw invalid('name', flags.name, 'lower-case letters, digits and dashes, at most 50');
  for (const namespace of excluded) requireNamespace('exclude-namespace', namespace);
  for (const resource of flags.resource)
    if (!isResource(resource)) throw invalid('resource', resource, 'GROUP/VERSION/PLURAL');
  if (!Number.isInteger(timeoutSeconds) || timeoutSeconds < 1 || timeoutSeconds > 30)
    throw invalid('webhook-timeout', `${timeoutSeconds}s`, 'whole seconds from 1s to 30s');
  return {
    name: flags.name,
    mutate: flags.mutate as Mutate,
    excluded,
    timeoutSeconds,
    resources: flags.resource,
  };
}

/** @throws CliError `flag-invalid` */
export function requireNamespace(flag: string, namespace: string): void {
  if (!NAMESPACE.test(namespace)) throw invalid(flag, namespace, 'the name of a namespace');
}

/** An address that an API server calls. @throws CliError `flag-invalid` */
export function webhookAddress(flag: string, url: string): URL {
  const address = URL.canParse(url) ? new URL(url) : undefined;
  const plain = address?.username === '' && address.search === '' && address.hash === '';
  if (address?.protocol === 'https:' && plain) return address;
  throw invalid(flag, url, 'an https address without user and query');
}

/** @returns a `flag-invalid` */
export function invalid(flag: string, found: string, expected: string): CliError {
  const shown = found.length > 80 ? `${found.slice(0, 80)}…` : found;
  return new CliError('flag-invalid', `invalid argument "${shown}" for "--${flag}" flag: expected ${expected}`);
}
