// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { mintToken, readActiveKey } from '../stack/index.ts';
import { readSettings, SETTINGS_FILE } from './recorded-settings.ts';
import { UpError } from './up-error.ts';

/** What a token shall say. */
export interface StackTokenRequest {
  /** the data directory of a stack that was started once */
  readonly data: string;
  readonly password?: string | undefined;
  /** an e-mail address or a URI */
  readonly subject: string;
  readonly audience: string;
  readonly claims: Readonly<Record<string, string>>;
  readonly lifetimeMs: number;
  readonly now: Date;
}

/**
 * Makes an identity token of a stack's own issuer. It reads the issuer's key alone, without the lock: the stack may run or not.
 *
 * @throws UpError `stack-missing`; KeyRingError `password-missing`, `password-wrong` …; IssuerError for what a token cannot say
 */
export async function mintStackToken(request: StackTokenRequest): Promise<string> {
  const { data, password, subject, audience, claims, lifetimeMs, now } = request;
  const settings = await readSettings(join(data, SETTINGS_FILE));
  if (settings === undefined) {
    throw new UpError('stack-missing', `no stack was ever started in ${data}: bulla up --data ${data} makes one`);
  }
  const place = {
    directory: join(data, 'keys'),
    password: password === undefined ? undefined : Buffer.from(password),
  };
  const key = await readActiveKey(place, 'issuer');
  const lifetime = Math.round(lifetimeMs / 1000);
  return await mintToken({ subject, audience, claims, lifetime }, { key, issuer: settings.url, now });
}
