// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Recording } from './recording.ts';
import { recordedCases } from './transcript.ts';

test('the recorded writes, one after the other, lead to the recorded end', () => {
  for (const name of recordedCases()) {
    const recording = new Recording(name);
    const last = recording.commands.at(-1);
    assert.ok(last !== undefined, name);
    assert.deepEqual(recording.before({ ...last, at: last.at + 1 }), recording.atEnd(), name);
  }
});

test('each moment of a recording can be had again', () => {
  const recording = new Recording('sign-two-keys-bundle');
  const listed = recording.commands.map((command) => {
    const [state] = recording.before(command);
    const index = [...(state?.tags ?? [])].find(([tag]) => tag.startsWith('sha256-'))?.[1];
    return index === undefined ? 0 : recording.layout.listOf(index).length;
  });
  assert.deepEqual(listed, [0, 1, 2, 3, 3, 3]);
});

test('a replaced attestation is there before it was replaced', () => {
  const recording = new Recording('attest-replace-2.5.0');
  const layers = recording.commands.map((command) => {
    const attached = [...(recording.before(command)[0]?.tags ?? [])].find(([tag]) => tag.endsWith('.att'))?.[1];
    return attached === undefined ? 0 : recording.layout.listOf(attached).length;
  });
  assert.deepEqual(layers, [0, 1, 2, 3, 3, 2, 2, 2]);
});
