// SPDX-License-Identifier: Apache-2.0

/** Which labels an object must have: all that is said must hold. @see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/ */
export interface LabelSelector {
  readonly labels: ReadonlyMap<string, string>;
  readonly expressions: readonly LabelExpression[];
}

/** How the values of a label are compared. */
export const LABEL_OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

export interface LabelExpression {
  readonly key: string;
  readonly operator: (typeof LABEL_OPERATORS)[number];
  readonly values: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

/** Whether an object with these labels is selected. */
export function selects({ labels, expressions }: LabelSelector, found: Labels): boolean {
  for (const [key, value] of labels) if (labelOf(found, key) !== value) return false;
  return expressions.every((expression) => holds(expression, labelOf(found, expression.key)));
}

// As Kubernetes has it, a label that is not there is none of the values.
function holds({ operator, values }: LabelExpression, found: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return found !== undefined && values.includes(found);
    case 'NotIn':
      return found === undefined || !values.includes(found);
    case 'Exists':
      return found !== undefined;
    case 'DoesNotExist':
      return found === undefined;
  }
}

function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
