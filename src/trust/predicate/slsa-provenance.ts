// SPDX-License-Identifier: Apache-2.0
import {
  anything,
  digestSet,
  flag,
  list,
  map,
  object,
  resourceDescriptor,
  text,
  time,
  uri,
  type Shape,
} from './shape.ts';

/** @see https://slsa.dev/spec/v0.2/provenance#schema */
export const SLSA_PROVENANCE_V02: Shape = object({
  required: { builder: object({ required: { id: uri } }), buildType: uri },
  optional: {
    invocation: object({
      optional: {
        configSource: object({ optional: { uri, digest: digestSet, entryPoint: text() } }),
        parameters: anything,
        environment: map(anything),
      },
    }),
    buildConfig: anything,
    metadata: object({
      optional: {
        buildInvocationId: text(),
        buildStartedOn: time,
        buildFinishedOn: time,
        completeness: object({ optional: { parameters: flag, environment: flag, materials: flag } }),
        reproducible: flag,
      },
    }),
    materials: list(object({ optional: { uri, digest: digestSet } })),
  },
});

/** @see https://slsa.dev/spec/v1.0/provenance#schema */
export const SLSA_PROVENANCE_V1: Shape = object({
  required: {
    buildDefinition: object({
      required: { buildType: uri, externalParameters: map(anything) },
      optional: { internalParameters: map(anything), resolvedDependencies: list(resourceDescriptor) },
    }),
    runDetails: object({
      required: {
        builder: object({
          required: { id: uri },
          optional: { builderDependencies: list(resourceDescriptor), version: map(text()) },
        }),
      },
      optional: {
        metadata: object({
          // cosign 2 writes the second spelling
          optional: { invocationId: text(), invocationID: text(), startedOn: time, finishedOn: time },
        }),
        byproducts: list(resourceDescriptor),
      },
    }),
  },
});
