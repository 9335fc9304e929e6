// SPDX-License-Identifier: Apache-2.0
import type { Digest } from '../digest.ts';
import { readRefusal, refused } from './registry-answer.ts';
import type { Session } from './session.ts';
import { begunUpload, cancelUpload, type Upload } from './upload-session.ts';

/**
 * Makes a blob of another repository of this registry available here. False where the registry would rather have it uploaded, for
 * whatever reason: it does not know it, does not mount, or does not let us read there.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#mounting-a-blob-from-another-repository
 */
export async function mountBlob(session: Session, digest: Digest, from: string): Promise<boolean> {
  if (session.present.has(digest)) return true;
  const registry = session.name.slice(0, -session.repository.length);
  if (!from.startsWith(registry)) return false;
  const repository = from.slice(registry.length);
  const deadline = session.connection.deadline();
  const doing = `mount blob ${digest} of ${from} in ${session.name}`;
  const request = {
    doing,
    method: 'POST',
    target: session.path(`blobs/uploads/?mount=${digest}&from=${encodeURIComponent(repository)}`),
    repeatable: true,
    scopes: [...session.push, { repository, actions: ['pull'] as const }],
    deadline,
  };
  const outcome = await session.connection.exchange(request, async (response): Promise<boolean | Upload> => {
    if (response.status === 201) return true;
    if (response.status === 202) return begunUpload(response, doing);
    const refusal = await readRefusal(response);
    if (response.status >= 500 || [401, 403, 408, 429].includes(response.status))
      throw refused(response, refusal, doing);
    return false;
  });
  if (outcome === true) session.present.add(digest);
  if (typeof outcome === 'boolean') return outcome;
  await cancelUpload(session, outcome, deadline);
  return false;
}
