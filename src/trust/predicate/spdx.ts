// SPDX-License-Identifier: Apache-2.0
import { isJsonObject } from '../../wire/index.ts';
import { anything, filledText, list, object, oneOf, text, time, uri, type Shape } from './shape.ts';

const spdxId = text({ pattern: /^SPDXRef-[A-Za-z0-9.-]+$/, expected: 'SPDXRef-…' });

const VERSION_2: Shape = object({
  required: {
    spdxVersion: text({ pattern: /^SPDX-2\.\d$/, expected: 'SPDX-2.3 or another SPDX-2' }),
    dataLicense: oneOf('CC0-1.0'),
    SPDXID: oneOf('SPDXRef-DOCUMENT'),
    name: filledText,
    documentNamespace: uri,
    creationInfo: object({ required: { created: time, creators: list(filledText, { least: 1 }) } }),
  },
  optional: {
    packages: list(object({ required: { SPDXID: spdxId, name: filledText, downloadLocation: filledText } })),
    files: list(
      object({ required: { SPDXID: spdxId, fileName: filledText, checksums: list(anything, { least: 1 }) } }),
    ),
    relationships: list(
      object({
        required: { spdxElementId: filledText, relatedSpdxElement: filledText, relationshipType: filledText },
      }),
    ),
  },
});

// Version 3 is a graph; its elements have a schema of their own.
const VERSION_3: Shape = object({ required: { '@context': anything, '@graph': list(object({}), { least: 1 }) } });

const TEXT = text({ pattern: /^\s*(?:SPDXVersion:|\{)/, expected: 'an SPDX document: SPDXVersion: … or JSON' });

/** An SPDX document in JSON, or as a text (tag-value, as cosign's type `spdx` keeps it). @see https://spdx.github.io/spdx-spec/v2.3/ */
export const SPDX: Shape = (value, at, faults) => {
  if (typeof value === 'string') TEXT(value, at, faults);
  else if (isJsonObject(value) && Object.hasOwn(value, '@graph')) VERSION_3(value, at, faults);
  else VERSION_2(value, at, faults);
};
