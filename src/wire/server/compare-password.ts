// SPDX-License-Identifier: Apache-2.0

/**
 * Whether a password is that of a bcrypt hash; `false` for a hash that is none. It is computed beside the thread that serves, and what that takes
 * loads with the first check.
 *
 * @throws Error where the thread ends; the next check starts another
 * @example if (await comparePassword('secret', '$2y$10$…')) …
 */
export async function comparePassword(password: string, hash: string): Promise<boolean> {
  const { compareAside } = await import('./password-thread.ts');
  return compareAside(password, hash);
}
