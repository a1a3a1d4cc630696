interface Conditioned {
  readonly type?: string;
  readonly status?: string;
}

export function conditionOf<C extends Conditioned>(conditions: readonly C[] | undefined, type: string): C | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isConditionTrue(conditions: readonly Conditioned[] | undefined, type: string): boolean {
  return conditionOf(conditions, type)?.status === "True";
}
