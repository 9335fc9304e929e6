// SPDX-License-Identifier: Apache-2.0
import type { BundleDocument, LogEntryDocument, Unreadable } from './bundle-document.ts';
import { printable } from './printable.ts';

/** What a bundle says, for people: a line for each thing, with what belongs to it below. */
export function bundleText(file: string, document: BundleDocument): string {
  const { format, mediaType, version, logEntries, timestamps } = document;
  const kind = format === 'legacy' ? "cosign 2's own format" : `version ${version ?? 'unknown'} (${mediaType})`;
  const lines = [
    `${file}: a bundle, ${kind}`,
    ...content(document.content),
    ...signer(document.signer),
    ...(logEntries.length === 0 ? ['log entries: none'] : logEntries.flatMap(logEntry)),
    ...(timestamps.length === 0 ? ['timestamps: none'] : timestamps.map(timestamp)),
    'nothing of this was verified',
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

function content(document: BundleDocument['content']): readonly string[] {
  if (document.kind === 'message') return [`signature over a file: ${document.digest ?? 'digest not said'}`];
  const { payloadType, payloadBytes, signatures, statement } = document;
  const head = `envelope: ${payloadType}, ${payloadBytes} bytes, ${signatures === 1 ? 'one signature' : `${signatures} signatures`}`;
  if ('error' in statement) return [head, unreadable('statement', statement)];
  const { predicateType, subjects, subjectCount } = statement;
  return [
    head,
    `  predicate type: ${predicateType}`,
    ...subjects.map(({ name, digest }) => `  subject: ${name === null ? '' : `${name} `}${digests(digest)}`),
    ...(subjectCount > subjects.length ? [`  and ${subjectCount - subjects.length} subjects more`] : []),
  ];
}

function digests(digest: Readonly<Record<string, string>>): string {
  return Object.entries(digest)
    .map(([algorithm, value]) => `${algorithm}:${value}`)
    .join(' ');
}

function signer(document: BundleDocument['signer']): readonly string[] {
  if (document.kind === 'key') return [`signer: a key${document.hint === null ? '' : `, hint ${document.hint}`}`];
  return document.chain.flatMap((one, at) => {
    const head = at === 0 ? 'signer' : `certificate ${at + 1} of the chain`;
    if ('error' in one) return [unreadable(head, one)];
    return [
      `${head}: ${one.subject ?? 'no name'}`,
      ...Object.entries(one.claims).map(([name, value]) => `  ${name}: ${value}`),
      `  certified by ${one.issuedBy}, valid from ${one.notBefore} to ${one.notAfter}`,
    ];
  });
}

function logEntry({ index, logId, kind, integratedTime, promise, proof }: LogEntryDocument): readonly string[] {
  const when = integratedTime === null ? 'no time' : integratedTime;
  const lines = [`log entry: index ${index}, ${kind ?? 'kind not said'}, ${when}, log ${logId ?? 'not named'}`];
  if (promise) lines.push('  the log promises to include it');
  if (proof === null) return lines;
  lines.push(`  inclusion proof in a tree of ${proof.treeSize}`);
  const { checkpoint } = proof;
  if (checkpoint === null) return lines;
  if ('error' in checkpoint) return [...lines, `  ${unreadable('checkpoint', checkpoint)}`];
  return [...lines, `  checkpoint of ${checkpoint.origin}, signed by ${checkpoint.signedBy.join(', ')}`];
}

function timestamp(document: BundleDocument['timestamps'][number]): string {
  return 'error' in document ? unreadable('timestamp', document) : `timestamp: ${document.time}`;
}

function unreadable(what: string, { error }: Unreadable): string {
  return `${what}: cannot be read: ${error.message} [${error.code}]`;
}
