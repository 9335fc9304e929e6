// SPDX-License-Identifier: Apache-2.0
import { digestHex, digestOf } from '../../oci/index.ts';
import type { CheckFinding, FindingCode } from './check-report.ts';

/** What each code means, for those who meet it in another tool. */
const RULES: Readonly<Record<FindingCode, string>> = {
  met: 'The image is as its policies ask.',
  'policy-failed': 'A policy that is about the image is not met.',
  'no-policy-matches': 'No policy is about the image.',
  'reference-malformed': 'What should be an image is no reference of one.',
  'image-missing': 'There is no such image.',
  'static-pass': 'The policy lets every such image pass.',
  'static-fail': 'The policy refuses every such image.',
  'nothing-found': 'No signature or attestation of the kind that is asked for lies beside the image.',
  'none-accepted': 'There are signatures beside the image, and none of them counts.',
  'key-seals-only': 'The image is signed by keys only, where an identity is expected.',
  'signers-too-few': 'Fewer signers than are asked for have signed the image.',
  'attestation-failed': 'An attestation that is asked for is not there, or does not count.',
  'authorities-failed': 'None of the authorities of a policy is satisfied.',
  'program-refused': 'The policy over what was found refuses it.',
  'not-asked': 'Another authority had satisfied the policy.',
  'platforms-failed': 'A platform of the image does not satisfy the policy.',
  excepted: 'A signed exception admits the image.',
  'summary-accepted': 'A verification summary admits the image.',
  'summary-missing': 'A verification summary is demanded, and none counts.',
  unknown: 'It could not be found out whether the image may run.',
  'policy-warning': 'A policy that only warns is not met.',
  'no-image': 'No image was found.',
  'manifest-malformed': 'A file cannot be read: images in it are not judged.',
  'manifest-too-large': 'A file is larger than is read: images in it are not judged.',
  'field-duplicate': 'A field is there twice: which of them counts depends on the reader.',
  'image-malformed': 'Where an image should be is something else.',
  'template-unrendered': 'A template is not rendered yet: images in it are not judged.',
  'variable-unset': 'An image has a variable without a value: it is not judged.',
  'image-incomplete': 'Only a part of an image is here: it is not judged.',
  'image-built': 'An image is built, not pulled: what it becomes is not judged.',
  'image-unjudged': 'What looks like an image stands in a place that is not known: it is not judged.',
  'file-unreadable': 'A file cannot be read: images in it are not judged.',
  'file-unknown': 'It is not known what a file is: images in it are not judged.',
};

export function ruleText(code: FindingCode): string {
  return RULES[code];
}

/** The same for the same finding in the next run, wherever in its file it has moved to. */
export function fingerprintOf({ code, image = '', place, message }: CheckFinding): string {
  const about = [code, image, place?.file ?? '', place?.field ?? '', image === '' ? message : ''];
  return digestHex(digestOf(new TextEncoder().encode(JSON.stringify(about))));
}
