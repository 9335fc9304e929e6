// SPDX-License-Identifier: Apache-2.0
import type { Descriptor } from '../descriptor.ts';
import { checkStored, readRefusal, refused } from './registry-answer.ts';
import type { Session } from './session.ts';

/** What is sent to write a manifest. */
export interface ManifestPut {
  readonly bytes: Uint8Array;
  readonly descriptor: Descriptor;
  readonly target: string;
  /** conditions */
  readonly headers: Readonly<Record<string, string>>;
  readonly deadline: number;
}

/** What the registry answered; `changed` where a condition did not hold. */
export type PutAnswer = { readonly subject: string | undefined; readonly etag: string | undefined } | 'changed';

/** Sends a manifest once. */
export async function putManifest(session: Session, put: ManifestPut): Promise<PutAnswer> {
  const { bytes, descriptor, target, headers, deadline } = put;
  const doing = `write ${session.shown(target)}`;
  const request = {
    doing,
    method: 'PUT',
    target: session.manifestPath(target),
    headers: { 'content-type': descriptor.mediaType, ...headers },
    body: bytes,
    scopes: session.push,
    deadline,
  };
  return session.connection.exchange(request, async (response): Promise<PutAnswer> => {
    if (response.status === 412 && Object.keys(headers).length > 0) {
      session.honoursConditions = true;
      return 'changed';
    }
    if (response.status < 200 || response.status > 202) throw refused(response, await readRefusal(response), doing);
    checkStored(response, descriptor.digest, doing);
    return { subject: response.headers['oci-subject'], etag: response.headers['etag'] };
  });
}

/** An ETag that If-Match can use. @see https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1 */
export function strongEtag(etag: string | undefined): string | undefined {
  return etag !== undefined && /^"[\x21\x23-\x7e]{1,200}"$/.test(etag) ? etag : undefined;
}
