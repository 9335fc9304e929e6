// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { StoreError, type SqlDatabase } from '../../store/index.ts';
import type { AppendLog } from '../log/append-log.ts';
import { LogError } from '../log/log-error.ts';
import {
  ask,
  callOf,
  certificatesOf,
  keyBody,
  newClientKey,
  openTestAuthority,
  v2Call,
  type TestAuthority,
} from './certificate-authority.fixture.ts';

const PERSON = 'dev@example.com';

/** The same log, but for what happens when something is appended. */
function failing(log: AppendLog, append: AppendLog['append']): AppendLog {
  return new Proxy(log, {
    get(target, name) {
      if (name === 'append') return append;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

async function issued(ca: TestAuthority): Promise<number> {
  const row = await ca.database.get<{ number: number }>(
    "SELECT count(*) AS number FROM certificate_token_uses WHERE outcome = 'issued'",
  );
  return row?.number ?? -1;
}

describe('nothing is given out', () => {
  for (const [why, error, status] of [
    ['when the log has no space left', new LogError('log-full', 'no space'), 503],
    ['when too much waits for the log', new LogError('log-busy', 'busy'), 503],
    ['when the log has stopped', new LogError('log-superseded', 'another process writes'), 500],
    ['when the log fails in a way that nobody foresaw', new TypeError('secret detail'), 500],
  ] as const) {
    test(why, async () => {
      await using ca = await openTestAuthority();
      const log = failing(ca.log, () => Promise.reject(error));
      const { service } = await ca.reopen({ certificateLog: { ...ca.issuance.certificateLog, log } });
      const body = keyBody(await newClientKey(PERSON));
      const token = await ca.issuer.personToken();
      const reply = await ask(service, v2Call(token, body));
      assert.equal(reply.status, status);
      assert.doesNotMatch(reply.text, /CERTIFICATE|secret detail|another process/);
      assert.equal(await issued(ca), 0);
      // a retry, once the log is well again
      assert.equal((await ask(ca.service, v2Call(token, body))).status, 200);
    });
  }

  test('when it cannot be recorded, because the disk is full; the retry gets a certificate', async () => {
    await using ca = await openTestAuthority();
    let full = true;
    const database: SqlDatabase = new Proxy(ca.database, {
      get(target, name) {
        if (name === 'write' && full) return () => Promise.reject(new StoreError('full', 'no space is left'));
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    full = false;
    const { service } = await ca.reopen({ database });
    full = true;
    const body = keyBody(await newClientKey(PERSON));
    const token = await ca.issuer.personToken();
    const refused = await Promise.all([
      ask(service, v2Call(token, body)),
      ask(service, v2Call(token, keyBody(await newClientKey(PERSON)))),
    ]);
    for (const { status, text } of refused) {
      assert.equal(status, 503);
      assert.match(text, /no space left to record/);
    }
    assert.equal(await issued(ca), 0);
    full = false;
    const reply = await ask(service, v2Call(token, body));
    assert.equal(reply.status, 200, reply.text);
  });
});

test('a crash after the log and before the record leaves an entry that nobody has, and the retry gets another certificate', async () => {
  await using ca = await openTestAuthority();
  const body = keyBody(await newClientKey(PERSON));
  const token = await ca.issuer.personToken();
  const crash = new Error('killed');
  const log = failing(ca.log, async (entry) => {
    await ca.log.append(entry);
    throw crash;
  });
  const { service } = await ca.reopen({ certificateLog: { ...ca.issuance.certificateLog, log } });
  assert.equal((await ask(service, v2Call(token, body))).status, 500);
  assert.deepEqual([ca.log.tree().size, await issued(ca)], [1, 0]);
  const again = await ca.reopen();
  assert.equal(certificatesOf((await ask(again.service, v2Call(token, body))).text).length, 3);
  assert.deepEqual([ca.log.tree().size, await issued(ca)], [2, 1]);
});

test('a clock that goes back issues within the new time, and answers retries', async () => {
  let now = Date.now();
  await using ca = await openTestAuthority({ now: () => new Date(now) });
  const token = await ca.issuer.personToken();
  const body = keyBody(await newClientKey(PERSON));
  const first = await ask(ca.service, v2Call(token, body));
  now -= 600_000;
  assert.equal((await ask(ca.service, v2Call(token, body))).text, first.text);
  const other = await ask(ca.service, v2Call(token, keyBody(await newClientKey(PERSON))));
  assert.equal(other.status, 200, other.text);
});

describe('a request that is none', () => {
  test('is refused with the status that says so', async () => {
    await using ca = await openTestAuthority();
    const headers = { authorization: `Bearer ${await ca.issuer.personToken()}` };
    for (const [method, path, body, status] of [
      ['POST', '/api/v2/signingCert', '', 400],
      ['POST', '/api/v2/signingCert', 'not json', 400],
      ['POST', '/api/v2/signingCert', '[]', 400],
      ['POST', '/api/v2/signingCert', '{"publicKeyRequest":[]}', 400],
      ['POST', '/api/v2/signingCert', '{"publicKeyRequest":{"publicKey":{"content":7}}}', 400],
      ['POST', '/api/v2/signingCert', `${'['.repeat(5000)}${']'.repeat(5000)}`, 400],
      ['POST', '/api/v2/signingCert', JSON.stringify('x'.repeat(300_000)), 413],
      ['POST', '/api/v1/signingCert', '{"publicKey":{"content":"%%%"}}', 400],
      ['POST', '/api/v1/signingCert', '{}', 400],
      ['GET', '/api/v2/signingCert', '', 405],
      ['POST', '/api/v2/trustBundle', '', 405],
      ['GET', '/api/v3/signingCert', '', 404],
    ] as const) {
      const reply = await ask(ca.service, callOf(method, path, body, headers));
      assert.equal(reply.status, status, `${method} ${path} ${body.slice(0, 40)}: ${reply.text}`);
      assert.deepEqual(Object.keys(JSON.parse(reply.text) as object), ['code', 'message', 'details']);
    }
    const announced = callOf('POST', '/api/v2/signingCert', '{}', { ...headers, 'content-length': '99999999' });
    assert.equal((await ask(ca.service, announced)).status, 413);
  });

  test('is refused, and never a failure of ours, whatever JSON it is', async () => {
    await using ca = await openTestAuthority();
    const authorization = `Bearer ${await ca.issuer.personToken()}`;
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.base64String({ maxLength: 200 }),
      fc.constant('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----'),
    );
    const body = fc.record(
      {
        credentials: value,
        publicKey: fc.oneof(value, fc.record({ content: value })),
        signedEmailAddress: value,
        certificateSigningRequest: value,
        publicKeyRequest: fc.oneof(
          value,
          fc.record({ publicKey: fc.record({ content: value }), proofOfPossession: value }),
        ),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('/api/v1/signingCert', '/api/v2/signingCert'), body, async (path, json) => {
        const { status } = await ask(ca.service, callOf('POST', path, JSON.stringify(json), { authorization }));
        assert.ok(status >= 400 && status < 500, `${status}`);
      }),
    );
  });
});
