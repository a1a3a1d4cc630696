import { type FieldError, invalidField } from "#machinery/field-error.ts";
import { type Errors, isZero, notMoreThan100Percent, validateIntOrPercent } from "../validation.ts";

interface RollingUpdate {
  readonly maxUnavailable?: number | string;
  readonly maxSurge?: number | string;
}

/** How many pods may be missing and how many there may be on top while a Deployment rolls: not both none. */
export function validateRollingDeployment({ maxUnavailable, maxSurge }: RollingUpdate, path: string): Errors {
  const errors: FieldError[] = [
    ...validateIntOrPercent(maxUnavailable, `${path}.maxUnavailable`),
    ...validateIntOrPercent(maxSurge, `${path}.maxSurge`),
  ];
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    errors.push(invalidField(`${path}.maxUnavailable`, maxUnavailable, "may not be 0 when `maxSurge` is 0"));
  }
  return [...errors, ...notMoreThan100Percent(maxUnavailable, `${path}.maxUnavailable`)];
}

/** A DaemonSet rolls in one of the two ways: old pod first, or new pod first. */
export function validateRollingDaemonSet({ maxUnavailable, maxSurge }: RollingUpdate, path: string): Errors {
  const errors: FieldError[] = [
    ...validateIntOrPercent(maxUnavailable, `${path}.maxUnavailable`),
    ...notMoreThan100Percent(maxUnavailable, `${path}.maxUnavailable`),
    ...validateIntOrPercent(maxSurge, `${path}.maxSurge`),
    ...notMoreThan100Percent(maxSurge, `${path}.maxSurge`),
  ];
  const unavailable = maxUnavailable !== undefined && !isZero(maxUnavailable);
  const surge = maxSurge !== undefined && !isZero(maxSurge);
  if (unavailable && surge) errors.push(invalidField(`${path}.maxSurge`, maxSurge, "may not be set when maxUnavailable is non-zero"));
  if (!unavailable && !surge) errors.push(invalidField(`${path}.maxUnavailable`, maxUnavailable, "cannot be 0 when maxSurge is 0"));
  return errors;
}
