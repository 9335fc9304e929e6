// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after } from 'node:test';
import { Layout } from '../golden/layout.ts';
import { interop, runClient, type ClientRun } from './clients.ts';
import { BASE_LAYOUT, Lab, MULTI, sameContent, SINGLE, succeed } from './lab.ts';

// What our registry keeps, as clients see it: tags that are written once, and everything over a restart.

const lab = new Lab();
after(() => lab.close());

interop('a write-once tag takes the same image again, and no other', ['crane', 'skopeo'], async ([crane, skopeo]) => {
  const { host } = await lab.serveBulla(['--write-once', 'prod/*:v*', '--mutable', 'prod/*:v0-*']);
  const home = lab.folder();
  const base = new Layout(BASE_LAYOUT);
  assert.ok(base.exists);
  const push = (tag: string, to: string): Promise<ClientRun> =>
    runClient(
      skopeo,
      ['copy', '--all', '--dest-tls-verify=false', `oci:${BASE_LAYOUT}:${tag}`, `docker://${host}/${to}`],
      { home },
    );
  assert.equal((await push('multi', 'prod/app:v1')).code, 0);
  assert.equal((await push('multi', 'prod/app:v1')).code, 0);
  const moved = await push('single', 'prod/app:v1');
  assert.notEqual(moved.code, 0);
  assert.match(moved.stderr, /denied|write-once/i);
  const retagged = await runClient(crane, ['tag', `${host}/prod/app@${SINGLE}`, 'v1'], { home });
  assert.notEqual(retagged.code, 0);
  assert.match(retagged.stderr, /DENIED/);
  assert.equal((await succeed(crane, ['digest', `${host}/prod/app:v1`], home)).stdout.trim(), MULTI);
  for (const tag of ['multi', 'single']) assert.equal((await push(tag, 'prod/app:v0-dev')).code, 0);
  for (const tag of ['multi', 'single']) assert.equal((await push(tag, 'prod/app:edge')).code, 0);
});

interop('what was pushed is there after the registry was ended and started again', ['crane'], async ([crane]) => {
  const folder = lab.folder();
  const home = lab.folder();
  const first = await lab.serveBulla([], folder);
  await succeed(crane, ['push', '--index', BASE_LAYOUT, `${first.host}/kept/app:1`], home);
  const digest = (await succeed(crane, ['digest', `${first.host}/kept/app:1`], home)).stdout;
  const ended = await first.stop();
  assert.equal(ended.code, 0, ended.stderr);
  const second = await lab.serveBulla([], folder);
  assert.equal((await succeed(crane, ['digest', `${second.host}/kept/app:1`], home)).stdout, digest);
  await succeed(crane, ['pull', '--format', 'oci', `${second.host}/kept/app@${MULTI}`, 'back'], home);
  sameContent(new Layout(join(home, 'back')), MULTI);
  assert.equal((await second.stop()).code, 0);
});
