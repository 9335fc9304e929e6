// SPDX-License-Identifier: Apache-2.0

/** What Bun has besides the standard. @see https://bun.com/reference/bun/unsafe */
interface BunRuntime {
  readonly unsafe?: { readonly setJITPolicy?: (scale: number) => void };
}

/** Milliseconds after which a command is one that lasts. */
const LASTING = 100;

/**
 * The release binary puts compilation off (`build/binary.ts`): a command that seals ends before code that was compiled for it has paid for it.
 * One that lasts, such as a server, gets the runtime's own policy back. Elsewhere this does nothing.
 */
export function compileWhatLasts(
  runtime: BunRuntime | undefined = (globalThis as { readonly Bun?: BunRuntime }).Bun,
): void {
  const setPolicy = runtime?.unsafe?.setJITPolicy;
  if (setPolicy !== undefined) setTimeout(() => setPolicy(1), LASTING).unref();
}
