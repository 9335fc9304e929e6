// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { suite, test } from 'node:test';
import { decodeCertificates } from '../../trust/index.ts';
import {
  DEFAULT_LIVES,
  nextCertificates,
  type CertificateSituation,
  type CertificateState,
} from './certificate-plan.ts';

const START = Date.parse('2030-01-01T00:00:00Z');
const DAY = 24 * 60 * 60_000;
const HOSTS = ['bulla-gate.bulla-system.svc'];

function at(milliseconds: number, given: Partial<CertificateSituation> = {}): CertificateSituation {
  const now = new Date(START + milliseconds);
  return { now, hosts: HOSTS, lives: DEFAULT_LIVES, bundleInForce: true, rotate: '', ...given };
}

async function begun(): Promise<CertificateState> {
  return (await nextCertificates(undefined, at(0))).state;
}

function authorities(state: CertificateState): number {
  return decodeCertificates(Buffer.from(state.authorities), 'ca.crt').length;
}

/** Whether what is served is believed by who has these authorities. */
function believes(bundle: string, { certificate }: CertificateState): boolean {
  const leaf = new X509Certificate(certificate);
  return decodeCertificates(Buffer.from(bundle), 'ca.crt').some(({ der }) =>
    leaf.verify(new X509Certificate(der).publicKey),
  );
}

suite('the certificates of a gate', () => {
  test('are made where there are none, for the names by which it is called', async () => {
    const state = await begun();
    assert.equal(authorities(state), 1);
    assert.ok(believes(state.authorities, state));
    assert.equal(new X509Certificate(state.certificate).checkHost(HOSTS[0] ?? ''), HOSTS[0]);
  });

  test('stay as they are while nothing is due', async () => {
    const state = await begun();
    for (const days of [0, 1, 30, 59]) {
      const step = await nextCertificates(state, at(days * DAY));
      assert.equal(step.done, undefined);
      assert.equal(step.state, state);
    }
  });

  test('are renewed by the same authority when a third of their life is left', async () => {
    const state = await begun();
    const { state: renewed, done } = await nextCertificates(state, at(61 * DAY));
    assert.equal(done, 'renewed the certificate');
    assert.equal(renewed.authorities, state.authorities);
    assert.notEqual(renewed.certificate, state.certificate);
  });

  test('are renewed where the gate is called by another name', async () => {
    const state = await begun();
    const hosts = ['gate.example.com', '127.0.0.1', '::1'];
    const { state: renewed } = await nextCertificates(state, at(DAY, { hosts }));
    assert.notEqual(renewed.certificate, state.certificate);
    assert.equal((await nextCertificates(renewed, at(DAY, { hosts }))).done, undefined);
  });

  test('are exchanged with their authority in steps, each of them believed by those who saw the last', async () => {
    const old = await begun();
    const asked = { rotate: 'please' };
    const { state: both } = await nextCertificates(old, at(DAY, asked));
    assert.equal(authorities(both), 2);
    assert.equal(both.certificate, old.certificate);
    assert.ok(believes(old.authorities, both));
    // not before the overlap is over
    assert.equal((await nextCertificates(both, at(DAY + 60_000, asked))).done, undefined);
    // and not before who asks has learnt of the new authority
    const unknown = { ...asked, bundleInForce: false };
    assert.equal((await nextCertificates(both, at(DAY + 3_600_000, unknown))).done, undefined);
    const { state: changed } = await nextCertificates(both, at(DAY + 121_000, asked));
    assert.notEqual(changed.certificate, both.certificate);
    assert.ok(believes(both.authorities, changed));
    assert.ok(!believes(old.authorities, changed));
    assert.equal((await nextCertificates(changed, at(DAY + 180_000, asked))).done, undefined);
    const { state: after } = await nextCertificates(changed, at(DAY + 242_000, asked));
    assert.equal(authorities(after), 1);
    assert.ok(believes(after.authorities, after));
    assert.ok(!believes(after.authorities, old));
    // the same request is not carried out twice
    assert.equal((await nextCertificates(after, at(DAY + 300_000, asked))).done, undefined);
    assert.notEqual((await nextCertificates(after, at(DAY + 300_000, { rotate: 'again' }))).done, undefined);
  });

  test('begin to be exchanged when a third of the life of their authority is left', async () => {
    let state = await begun();
    const done: string[] = [];
    for (let hour = 0; hour < 365 * 24; hour += 12) {
      const step = await nextCertificates(state, at(hour * 3_600_000));
      if (step.done !== undefined) done.push(step.done);
      ({ state } = step);
      assert.ok(believes(state.authorities, state));
      const { notAfter } = decodeCertificates(Buffer.from(state.certificate), 'it')[0] ?? { notAfter: new Date(0) };
      assert.ok(notAfter.getTime() > START + hour * 3_600_000, 'nothing expires');
    }
    assert.ok(done.includes('took the old authority away'));
  });

  test('do not expire because a webhook configuration never learns of a new authority', async () => {
    const { state } = await nextCertificates(await begun(), at(DAY, { rotate: 'x' }));
    const late = { rotate: 'x', bundleInForce: false };
    assert.equal((await nextCertificates(state, at(89 * DAY, late))).done, undefined);
    assert.equal((await nextCertificates(state, at(90 * DAY, late))).done, 'serve a certificate by the new authority');
  });

  test('are made anew where nobody in the Secret has certified what is served', async () => {
    const [one, other] = [await begun(), await begun()];
    const { state, done = '' } = await nextCertificates({ ...one, certificate: other.certificate }, at(0));
    assert.match(done, /made everything anew/);
    assert.ok(believes(state.authorities, state));
  });

  for (const [what, broken] of Object.entries({
    'no PEM': { authorities: 'x' },
    nothing: { authorities: '', certificate: '' },
    'half a certificate': { certificate: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n' },
  }))
    test(`are refused as malformed where there is ${what} in the Secret`, async () => {
      const state = { ...(await begun()), ...broken };
      await assert.rejects(nextCertificates(state, at(0)), { code: 'certificate-malformed' });
    });
});
