// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../../trust/index.ts';
import { readAudienceUnchecked } from '../identity-token.ts';
import type { ProviderAnswer } from './token-provider.ts';

/** The token of a variable that jobs have for other purposes as well: one for another audience is none for us, and no mistake. */
export function tokenForAudience(text: string, clientId: string, from: string, remedy: string): ProviderAnswer {
  const audience = readAudienceUnchecked(text);
  if (audience === undefined || audience.includes(clientId)) return { kind: 'token', text, from };
  const found = audience.map((item) => `'${printable(item)}'`).join(', ');
  return { kind: 'none', why: `${from} is for ${found}, not for '${printable(clientId)}'`, remedy };
}
