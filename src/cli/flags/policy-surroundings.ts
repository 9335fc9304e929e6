// SPDX-License-Identifier: Apache-2.0
import { findEngines, type PolicySurroundings } from '../../policy/index.ts';
import type { CommandContext } from '../context.ts';
import { CliError } from '../cli-error.ts';
import { surroundingsOf } from './default-trust.ts';
import { openServiceClient, requireNetwork } from './service-client.ts';

const MAX_BYTES = 256 * 1024;
const WITHIN_MS = 30_000;

/** What a command gives to policies: the engines of this machine, what is behind addresses, and what TUF repositories publish. */
export type CommandSurroundings = Required<Pick<PolicySurroundings, 'engines' | 'fetch' | 'resolveTrustRoot'>>;

/** For a command that decides. Nothing is fetched before a policy asks for it. */
export function policySurroundings(context: CommandContext): CommandSurroundings {
  return {
    engines: findEngines(surroundingsOf(context)),
    fetch: (url) => fetchPolicy(context, url),
    resolveTrustRoot: async (form) => {
      const { loadPackedRepository, loadRemoteRepository, trustFolder } = await import('../../keyless/index.ts');
      const now = context.now();
      if (form.kind === 'repository') return loadPackedRepository(form, { now });
      const folder = trustFolder(surroundingsOf(context));
      const kept = folder === undefined ? {} : { folder };
      return loadRemoteRepository(form, {
        http: openServiceClient(context),
        now,
        offline: context.noNetwork,
        ...kept,
      });
    },
  };
}

/** For a command that decides and asks nobody: of a repository at an address its trusted root must be given. */
export function closedSurroundings(context: CommandContext): Pick<CommandSurroundings, 'engines' | 'resolveTrustRoot'> {
  const { engines, resolveTrustRoot } = policySurroundings(context);
  return {
    engines,
    resolveTrustRoot: async (form) => {
      if (form.kind === 'repository') return resolveTrustRoot(form);
      throw new CliError('network-forbidden', 'nobody is asked here: give the trusted root that it publishes');
    },
  };
}

/** For a command that only checks: what has to be fetched is for later, and what is inside the documents is looked at. */
export function offlineSurroundings(context: CommandContext): PolicySurroundings {
  const { engines, resolveTrustRoot } = policySurroundings(context);
  return {
    engines,
    fetch: 'later',
    resolveTrustRoot: async (form) => (form.kind === 'remote' ? 'later' : resolveTrustRoot(form)),
    fallback: 'later',
  };
}

async function fetchPolicy(context: CommandContext, address: string): Promise<Uint8Array> {
  requireNetwork(context, `the policy at ${address} is not fetched`);
  const { readBody, shownUrl } = await import('../../wire/index.ts');
  const url = new URL(address);
  const client = openServiceClient(context);
  const request = { method: 'GET', url, headers: { 'user-agent': 'bulla' }, home: url };
  return client.exchange({ ...request, deadline: client.clock.now() + WITHIN_MS }, async (response) => {
    if (response.status !== 200)
      throw new CliError('answer-unusable', `${shownUrl(url)} answers ${response.status}, expected 200 and a policy`);
    return readBody(response, MAX_BYTES, shownUrl(url));
  });
}
