// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TrustedRoot } from '../../trust/index.ts';
import { newTestSigstore } from '../../trust/keyless-seal.fixture.ts';
import { fingerprint } from './trust-choice.ts';

const { trustedRoot: root } = await newTestSigstore();
const period = { start: new Date('2020-01-01T00:00:00Z'), end: new Date('2030-01-01T00:00:00Z') };

describe('the fingerprint of a trusted root', () => {
  it('is another for all that something could be believed by: policies of one hash decide alike', () => {
    const [log] = root.logs;
    const [certificateLog] = root.certificateLogs;
    const [authority] = root.certificateAuthorities;
    const [clock] = root.timestampAuthorities;
    assert.ok(log && certificateLog && authority && clock?.leaf);
    const base = {
      ...root,
      logs: [log],
      certificateLogs: [certificateLog],
      certificateAuthorities: [authority],
      timestampAuthorities: [clock],
    };
    const changed: readonly Partial<TrustedRoot>[] = [
      { logs: [] },
      { logs: [{ ...log, baseUrl: 'https://other.example' }] },
      { logs: [{ ...log, logId: new Uint8Array(32) }] },
      { logs: [{ ...log, checkpointKeyId: new Uint8Array(4) }] },
      { logs: [{ ...log, majorVersion: log.majorVersion === 1 ? 2 : 1 }] },
      { logs: [{ ...log, publicKey: certificateLog.publicKey }] },
      { logs: [{ ...log, validFor: period }] },
      { certificateLogs: [] },
      { certificateLogs: [{ ...certificateLog, validFor: period }] },
      { certificateLogs: [{ ...certificateLog, publicKey: log.publicKey }] },
      { certificateAuthorities: [] },
      { certificateAuthorities: [{ ...authority, validFor: period }] },
      { certificateAuthorities: [clock.issuer] },
      { timestampAuthorities: [] },
      { timestampAuthorities: [{ ...clock, issuer: authority }] },
      { timestampAuthorities: [{ ...clock, issuer: { ...clock.issuer, validFor: period } }] },
      // the one clock of an authority that is believed, or any that it certifies
      { timestampAuthorities: [{ issuer: clock.issuer }] },
      { timestampAuthorities: [{ ...clock, leaf: authority.chain[0] }] },
    ];
    const prints = changed.map((change) => fingerprint({ ...base, ...change }));
    assert.equal(new Set([...prints, fingerprint(base)]).size, changed.length + 1);
  });

  it('is the same for the same, whatever it is called and where it answers', () => {
    const [clock] = root.timestampAuthorities;
    assert.ok(clock);
    const named = { ...root, timestampAuthorities: [{ ...clock, uri: 'https://elsewhere.example', operator: 'x' }] };
    assert.equal(fingerprint(named), fingerprint(root));
  });
});
