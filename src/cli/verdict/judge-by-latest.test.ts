// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TrustOptions } from '../flags/trust.ts';
import type { TrustSource } from '../output/trust-origin.ts';
import { judgeByLatest, type Asked } from './judge-by-latest.ts';

const KEPT: TrustSource = { text: 'fetched yesterday', document: {}, kept: true };
const FRESH: TrustSource = { text: 'fetched now', document: {} };

/** Judges twice at most: these are the codes of the first time, and those of the second. */
async function judged(
  origin: TrustSource | undefined,
  first: readonly string[],
  second: readonly string[] = [],
): Promise<{ readonly by: string | undefined; readonly codes: readonly string[]; readonly asked: readonly object[] }> {
  const asked: TrustOptions[] = [];
  const answers = [first, second];
  const trust: Asked = origin === undefined ? {} : { origin };
  const last = await judgeByLatest(trust, {
    async ask(options = {}): Promise<Asked> {
      asked.push(options);
      return { origin: FRESH };
    },
    judge: async () => answers.shift() ?? assert.fail('judged a third time'),
    codesOf: (codes) => codes,
  });
  return { by: last.asked.origin?.text, codes: last.judged, asked };
}

describe('judgeByLatest', () => {
  it('asks for the newest trust, once, where somebody is unknown to that of an earlier run', async () => {
    for (const code of ['certificate-issuer-unknown', 'sct-log-unknown', 'log-unknown', 'timestamp-signer-unknown']) {
      const lifted = await judged(KEPT, ['signature-invalid', code]);
      assert.deepEqual(lifted, { by: FRESH.text, codes: [], asked: [{ fresh: true }] });
      const still = await judged(KEPT, [code], [code]);
      assert.deepEqual(still, { by: FRESH.text, codes: [code], asked: [{ fresh: true }] });
    }
  });

  it('asks nobody where newer trust would change nothing', async () => {
    for (const codes of [[], ['signature-invalid', 'identity-subject-mismatch']])
      assert.deepEqual(await judged(KEPT, codes), { by: KEPT.text, codes, asked: [] });
  });

  it('asks nobody where the trust is new, or somebody named it', async () => {
    for (const origin of [FRESH, undefined])
      assert.deepEqual(await judged(origin, ['log-unknown']), { by: origin?.text, codes: ['log-unknown'], asked: [] });
  });
});
