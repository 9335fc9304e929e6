// SPDX-License-Identifier: Apache-2.0

/**
 * A module that is loaded when it is first needed. The runtime would find it again each time, but looks for it for 15 µs: a twentieth of all
 * that verifying a bundle costs beside the signatures in it.
 *
 * @example const byIdentity = loadOnce(() => import('./verify-by-identity.ts'));
 */
export function loadOnce<Module>(load: () => Promise<Module>): () => Promise<Module> {
  let loading: Promise<Module> | undefined;
  return () => (loading ??= load());
}
