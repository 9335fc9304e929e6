// SPDX-License-Identifier: Apache-2.0
import { json, type Call, type Reply, type Service } from '../wire/index.ts';

/** Which paths a service answers. */
export interface Route {
  /** a path, or all below it where it ends with a slash */
  readonly path: string;
  readonly service: Service;
  /** hands on the path without the route's own, so that `/tuf/root.json` is asked for as `/root.json` */
  readonly strip?: boolean;
}

/** What a service threw, with the service that can put it into words. */
class RoutedFailure extends Error {
  readonly service: Service;

  constructor(service: Service, cause: unknown) {
    super(cause instanceof Error ? cause.message : 'a service failed', { cause });
    this.service = service;
  }
}

/**
 * One service out of several, by path. The longest route counts.
 *
 * @example const all = routed([{ path: '/v2/', service: registry }, { path: '/tuf/', service: tuf, strip: true }]);
 */
export function routed(routes: readonly Route[]): Service {
  const longestFirst = routes.toSorted((a, b) => b.path.length - a.path.length);
  return {
    async answer(call) {
      const path = call.target.split('?', 1)[0] ?? '';
      const route = longestFirst.find((one) => covers(one.path, path));
      if (route === undefined) return nothingHere(path);
      try {
        return await route.service.answer(route.strip === true ? below(route.path, call) : call);
      } catch (cause) {
        throw new RoutedFailure(route.service, cause);
      }
    },
    fault(error) {
      if (error instanceof RoutedFailure) return error.service.fault(error.cause);
      return json({ code: 'failed', message: 'the server failed; its log says why' }, {}, 500);
    },
  };
}

function covers(route: string, path: string): boolean {
  return route.endsWith('/') ? path.startsWith(route) : path === route;
}

function below(route: string, call: Call): Call {
  return { ...call, target: call.target.slice(route.length - 1) };
}

function nothingHere(path: string): Reply {
  const message = `nothing is served at ${path.slice(0, 200)}`;
  return json({ code: 'not-found', message }, {}, 404);
}
